/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One router that this conductor manages: its mode, its nodes with their enrolments and tunnels, and
 * its configuration. */

import {confirm, facts, field, make, select, show, table} from "./dom.js";
import {Audit} from "./audit.js";
import {MODES} from "./fleet.js";
import * as format from "./format.js";
import {node_path, router_path} from "./orders.js";
import {RouterDownloads} from "./routerdownloads.js";
import {Tokens} from "./tokens.js";

export class Managed {
	/* leave(): shows all routers again. */
	constructor(socket, may_change, attempt, name, leave) {
		Object.assign(this, {socket, may_change, attempt, name, leave});
		this.body = make("div", {});
		this.configuration = make("div", {});
		this.parts = [new Tokens(socket, may_change, attempt, name),
			      new RouterDownloads(socket, may_change, attempt, name),
			      new Audit(socket, attempt, name)];
		this.element = make("div", {},
			make("section", {"aria-labelledby": "router"},
			     make("button", {class: "link", onclick: leave}, "← All routers"),
			     make("h2", {id: "router"}, name), this.body, may_change && this.node_form(),
			     this.configuration_part()),
			this.parts.map(part => part.element));
	}

	async load() {
		const [router, {enrolments}] = await Promise.all([
			this.socket.get(router_path(this.name)),
			this.socket.get("/v1/enrolments?router=" + encodeURIComponent(this.name))]);

		show(this.body, [router, enrolments], () => this.draw(router, enrolments));
		const [tokens, downloads, audit] = this.parts;

		downloads.load();
		await Promise.all([tokens, audit].map(part => part.load()));
	}

	draw(router, enrolments) {
		return [facts([["Mode", router.mode], ["Pre-shared secret", router["has-pre-shared-secret"] ? "yes" : "none"],
			       ["Configuration", router.revision > 0 ? "revision " + router.revision : "none"]]),
			this.may_change && this.router_orders(router),
			router.nodes.length > 0 ? this.nodes(router, enrolments) : make("p", {class: "dim"}, "No nodes.")];
	}

	router_orders(router) {
		const mode = select(MODES, {"data-key": "mode"});

		mode.value = router.mode;
		return make("form", {"aria-label": "Mode of the router", onsubmit: event => {
			event.preventDefault();
			this.set_mode(router, mode.value);
		}}, field("Mode", mode), make("button", {"data-key": "set mode"}, "Set"),
			    make("button", {type: "button", class: "danger", onclick: () => this.remove()}, "Delete the router…"));
	}

	async set_mode(router, mode) {
		const ends = mode === "disabled" || MODES.indexOf(mode) > MODES.indexOf(router.mode);
		const sure = !ends || router.nodes.every(node => !node.enrolled) || await confirm(
			`Set ${mode}?`, "Its nodes that are enrolled have to enrol again, and their tunnels end.", "Set " + mode);

		if (sure)
			await this.change(() => this.socket.ask("PUT", router_path(this.name), {mode}));
	}

	change(order) {
		return this.attempt(async () => {
			await order();
			await this.load();
		});
	}

	async remove() {
		if (await confirm("Delete " + this.name + "?", "Its nodes, tokens and enrolments go with it, and its tunnels end.",
				  "Delete the router"))
			await this.attempt(async () => {
				await this.socket.ask("DELETE", router_path(this.name));
				this.leave();
			});
	}

	nodes(router, enrolments) {
		const columns = ["Node", "Asset-id", "Endorsement key", "Enrolled", "Recognized by", "From", "Tunnel", "Port",
				 ...(this.may_change ? ["Orders"] : [])];

		return table("Nodes", columns, router.nodes.map(node => {
			const enrolment = enrolments.find(e => e.node === node.name);
			const tunnel = enrolment?.["tunnel-key-exchange"];

			return [node.name, node["asset-id"], node["endorsement-key"] ? "known" : null,
				enrolment ? format.date(enrolment.time) : make("span", {class: "dim"}, "not yet"),
				enrolment?.["pinned-by"], enrolment?.address,
				tunnel ? make("span", {class: "good"}, "connected, " + tunnel)
				       : make("span", {class: "dim"}, "none here"), node["listen-port"],
				...(this.may_change ? [this.node_orders(node)] : [])];
		}));
	}

	node_orders(node) {
		return make("div", {class: "buttons"},
			    node.enrolled && make("button", {"data-key": "reset " + node.name,
							     onclick: () => this.reset(node.name)}, "Reset…"),
			    make("button", {class: "danger", "data-key": "delete " + node.name,
					    onclick: () => this.remove_node(node.name)}, "Delete…"));
	}

	async reset(node) {
		if (await confirm("Reset " + node + "?", "Another device may then come in its place. Its enrolment ends, and " +
				  "the router's tokens are revoked.", "Reset the node"))
			await this.change(() => this.socket.ask("POST", node_path(this.name, node) + "/reset"));
	}

	async remove_node(node) {
		if (await confirm("Delete " + node + "?", "Its enrolment ends, and the router's tokens are revoked.",
				  "Delete the node"))
			await this.change(() => this.socket.ask("DELETE", node_path(this.name, node)));
	}

	node_form() {
		const text = () => make("input", {required: true, pattern: "[A-Za-z0-9._\\-]{1,63}", autocomplete: "off",
						  spellcheck: "false"});
		const node = text(), asset = text();

		return make("form", {"aria-label": "Add a node", onsubmit: event => {
			event.preventDefault();
			this.change(async () => {
				await this.socket.ask("PUT", node_path(this.name, node.value), {"asset-id": asset.value});
				node.value = asset.value = "";
			});
		}}, field("Node", node), field("Its asset-id", asset), make("button", {}, "Set"));
	}

	configuration_part() {
		const details = make("details", {ontoggle: () => details.open && this.attempt(() => this.load_configuration())},
				     make("summary", {}, "Configuration"), this.configuration);

		return details;
	}

	/* Once, where it is opened: what somebody writes there stays. */
	async load_configuration() {
		const kept = await this.socket.get(router_path(this.name) + "/configuration");
		const text = make("textarea", {rows: 12, spellcheck: "false", "aria-label": "Configuration of " + this.name,
					       readonly: !this.may_change});
		const secrets = kept.secrets.map(s => [s.path, s.version, Object.entries(s.nodes).map(
			([node, state]) => node + ": " + state).join(", ")]);

		text.value = JSON.stringify(kept.configuration ?? {}, null, 2);
		this.configuration.replaceChildren(make("form", {onsubmit: event => {
			event.preventDefault();
			this.change(async () => {
				await this.socket.ask("PUT", router_path(this.name) + "/configuration?revision=" + kept.revision,
						      text.value);
				await this.load_configuration();
			});
		}}, text, this.may_change && make("button", {}, "Keep and send it")),
			...(secrets.length > 0 ? [table("Secrets", ["Which", "Version", "At the nodes"], secrets)] : []));
	}
}
