/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The downloads of a router's nodes, as they answer through their tunnels. */

import {field, make, show, table} from "./dom.js";
import * as format from "./format.js";
import {RUNNING} from "./downloads.js";
import {router_path} from "./orders.js";

const ENDED = ["complete", "cancelled"];

export class RouterDownloads {
	constructor(socket, may_change, attempt, router) {
		Object.assign(this, {socket, may_change, attempt});
		this.path = router_path(router) + "/downloads";
		this.list = make("div", {});
		this.element = make("section", {"aria-labelledby": "router-downloads"},
				    make("h2", {id: "router-downloads"}, "Downloads of its nodes"), may_change && this.form(),
				    this.list);
	}

	/* Asking takes seconds where a node hangs: nothing else waits for it. */
	async load() {
		try {
			const {nodes} = await this.socket.get(this.path);

			show(this.list, nodes, () => nodes.map(node => this.node(node)));
		} catch (error) {
			show(this.list, error.message, () => make("p", {class: "dim"}, error.message));
		}
	}

	node(node) {
		/* It is what a router says: it may be anything. */
		const said = node.answer?.downloads;
		const downloads = Array.isArray(said) ? said.filter(d => d !== null && typeof d === "object") : [];

		if (node.error !== null)
			return make("p", {class: "bad"}, node.node + ": " + node.error);
		if (downloads.length === 0)
			return make("p", {class: "dim"}, node.node + ": no downloads.");
		return table(node.node, ["Version", "State", "Verified", "From", ...(this.may_change ? ["Orders"] : [])],
			     downloads.map(d => [d.version, d.state + (d.error ? ": " + d.error : ""), this.bar(node.node, d),
						 d["active-source"], ...(this.may_change ? [this.buttons(node.node, d)] : [])]));
	}

	bar(node, download) {
		const part = format.percent(download);

		return make("span", {}, make("progress", {max: 100, value: part, "aria-label": `Verified, of ${download.version} on ${node}`}),
			    part + " %");
	}

	buttons(node, download) {
		const button = (label, what, possible) => possible && make(
			"button", {"data-key": [what, node, download.version].join(" "),
				   onclick: () => this.order(node, download.version, what)}, label);

		return make("div", {class: "buttons"}, button("Pause", "pause", RUNNING.includes(download.state)),
			    button("Resume", "resume", download.state === "paused"),
			    button("Cancel", "cancel", !ENDED.includes(download.state)));
	}

	/* The node's own refusal is what is said. */
	tell(nodes) {
		const refused = nodes.filter(node => node.error !== null);

		if (refused.length > 0)
			throw new Error(refused.map(node => node.node + ": " + node.error).join("; "));
	}

	order(node, version, what) {
		return this.attempt(async () => {
			const {nodes} = await this.socket.ask("POST", `${this.path}/${encodeURIComponent(version)}/${what}?node=` +
							      encodeURIComponent(node));

			await this.load();
			this.tell(nodes);
		});
	}

	form() {
		const version = make("input", {required: true, autocomplete: "off", spellcheck: "false"});

		return make("form", {"aria-label": "Have its nodes download a version", onsubmit: event => {
			event.preventDefault();
			this.attempt(async () => {
				const {nodes} = await this.socket.ask("POST", this.path, {version: version.value});

				await this.load();
				this.tell(nodes);
				version.value = "";
			});
		}}, field("Version for its nodes", version), make("button", {class: "main"}, "Have it downloaded"));
	}
}
