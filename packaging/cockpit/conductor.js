/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a conductor stands: what its registry counts, who came, and what it warns of. */

import {facts, make, show} from "./dom.js";
import * as format from "./format.js";

const listed = counts => Object.entries(counts).filter(([, n]) => n > 0).map(([name, n]) => n + " " + name).join(", ");

export class Summary {
	constructor(socket) {
		this.socket = socket;
		this.body = make("div", {});
		this.element = make("section", {"aria-labelledby": "summary"},
				    make("h2", {id: "summary"}, "Onboarding"), this.body);
	}

	async load() {
		const s = await this.socket.get("/v1/onboarding");
		const {registry, certificate} = s;

		show(this.body, s, () => [
			registry.reachable ? null : make("p", {class: "bad"}, "The registry does not answer: ",
							 registry.problem ?? ""),
			s.warnings.map(text => make("p", {class: "bad"}, text)),
			facts([["Routers", listed(registry.routers) || "none"], ["Nodes", registry.nodes],
			       ["Enrolled", registry.enrolments], ["Tokens", listed(registry.tokens) || "none"],
			       ["Handshakes", listed(s.handshakes) || "none yet"], ["Tunnels", s.tunnels],
			       ["Listens at", s.address + ", port " + s.port],
			       ["Certificate", certificate.problem ?? "until " + format.date(certificate.expires)]])]);
	}
}
