/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The routers of a conductor in a table that the conductor filters, sorts and pages; and orders for
 * those that are selected. */

import {field, make, select, show, table} from "./dom.js";
import {FleetMap} from "./fleetmap.js";
import {AT_ONCE, router_path} from "./orders.js";

const PAGE = 50;
const COLUMNS = [["name", "Router"], ["mode", "Mode"], ["nodes", "Nodes"], ["enrolled", "Enrolled"],
		 ["connected", "Connected"]];
export const MODES = ["disabled", "psk-only", "weak", "strong"];
const SHARES = [["", "any"], ["all", "all nodes"], ["some", "some nodes"], ["none", "no node"]];
const ORDERS = [["download", "Download a version"], ["pause", "Pause its download"],
		["resume", "Resume its download"], ["cancel", "Cancel its download"]];

export class Fleet {
	/* open(name): shows one router. */
	constructor(socket, may_change, attempt, open) {
		Object.assign(this, {socket, may_change, attempt, open});
		this.first = 0;
		this.sort = "name";
		this.selected = new Set();
		this.list = make("div", {});
		this.pager = make("div", {class: "pager"});
		this.orders = make("div", {class: "sticky"}); /* below 50 rows, and seen at the first */
		this.results = make("ul", {role: "status", "aria-live": "polite", class: "results"});
		this.map = new FleetMap(socket, attempt, open);
		this.element = make("section", {"aria-labelledby": "fleet"},
				    make("h2", {id: "fleet"}, "Routers"), this.map.element, this.filters(), this.list,
				    this.pager, this.results, this.orders, may_change && this.form());
	}

	filters() {
		const again = () => {
			this.first = 0;
			this.attempt(() => this.load());
		};
		const choice = choices => select(choices, {onchange: again});

		this.name = make("input", {type: "search", autocomplete: "off", spellcheck: "false", maxlength: 63,
					   oninput: () => {
						   clearTimeout(this.typing);
						   this.typing = setTimeout(again, 250);
					   }});
		this.label = make("input", {autocomplete: "off", spellcheck: "false", placeholder: "site=emea ring=1", onchange: again});
		this.mode = choice([["", "any"], ...MODES]);
		this.enrolled = choice(SHARES);
		this.connected = choice(SHARES);
		return make("form", {role: "search", "aria-label": "Which routers",
				     onsubmit: event => event.preventDefault()},
			    field("Name has", this.name), field("Has labels", this.label), field("Mode", this.mode),
			    field("Enrolled", this.enrolled), field("Connected", this.connected));
	}

	form() {
		const name = make("input", {required: true, pattern: "[A-Za-z0-9._\\-]{1,63}", autocomplete: "off",
					    spellcheck: "false"});

		return make("form", {"aria-label": "Add a router", onsubmit: event => {
			event.preventDefault();
			this.attempt(async () => {
				await this.socket.ask("PUT", router_path(name.value), {});
				this.open(name.value);
				name.value = "";
			});
		}}, field("New router", name), make("button", {}, "Add"));
	}

	query(first, limit) {
		const asked = new URLSearchParams({sort: this.sort, first, limit});

		for (const name of ["name", "mode", "enrolled", "connected"])
			if (this[name].value)
				asked.set(name, this[name].value);
		if (this.label.value.trim())
			asked.set("label", this.label.value.trim().split(/[\s,]+/).join(","));
		return "/v1/fleet?" + asked;
	}

	/* Only the newest question's answer is shown. */
	async load() {
		const asked = this.asked = this.query(this.first, PAGE);
		const {fleet, total} = await this.socket.get(asked);

		if (asked !== this.asked)
			return;
		this.rows = fleet;
		this.total = total;
		this.draw();
	}

	draw() {
		show(this.list, [this.rows, this.sort, this.total, [...this.selected]], () => this.rows.length > 0
			? table("Routers that match", this.columns(), this.rows.map(row => this.cells(row)))
			: make("p", {class: "dim"}, "No router matches."));
		show(this.pager, [this.first, this.total], () => this.buttons());
		if (this.may_change)
			show(this.orders, [...this.selected], () => this.selected.size > 0 && this.order_form());
	}

	columns() {
		const sorted = this.sort.replace("-", "");
		const order = this.sort.startsWith("-") ? "descending" : "ascending";
		const all = make("input", {type: "checkbox", "aria-label": "Select all that are shown", "data-key": "all",
					   onchange: event => this.select_shown(event.target.checked)});

		all.checked = this.rows.every(row => this.selected.has(row.router));
		return [...(this.may_change ? [{name: "Selected", head: all}] : []), ...COLUMNS.map(([key, name]) => ({
			name, sorted: key === sorted && order,
			head: make("button", {class: "sort", "data-key": "sort " + key, onclick: () => this.sort_by(key)}, name,
				   make("span", {"aria-hidden": "true"},
					key !== sorted ? "" : order === "ascending" ? " ▲" : " ▼"))}))];
	}

	cells(row) {
		const box = make("input", {type: "checkbox", "aria-label": "Select " + row.router,
					   "data-key": "select " + row.router,
					   onchange: event => this.select([row.router], event.target.checked)});
		const of_all = n => make("span", {class: row.nodes > 0 && n === row.nodes ? "good" : n > 0 ? "" : "dim"},
					 n + " of " + row.nodes);

		box.checked = this.selected.has(row.router);
		return [...(this.may_change ? [box] : []),
			make("button", {class: "link", "data-key": "open " + row.router,
					onclick: () => this.open(row.router)}, row.router),
			row.mode, row.nodes, of_all(row.enrolled), of_all(row.connected)];
	}

	buttons() {
		const go = (label, first, possible) => make(
			"button", {"data-key": label, disabled: !possible, onclick: () => {
				this.first = first;
				this.attempt(() => this.load());
			}}, label);

		return [go("Previous", Math.max(this.first - PAGE, 0), this.first > 0),
			make("span", {role: "status"}, this.total === 0 ? "0 routers"
				: `${this.first + 1} to ${Math.min(this.first + PAGE, this.total)} of ${this.total}`),
			go("Next", this.first + PAGE, this.first + PAGE < this.total)];
	}

	sort_by(key) {
		this.sort = this.sort === key ? "-" + key : key;
		this.first = 0;
		this.attempt(() => this.load());
	}

	select(names, is_selected) {
		names.forEach(name => is_selected ? this.selected.add(name) : this.selected.delete(name));
		this.draw();
	}

	select_shown(is_selected) {
		this.select(this.rows.map(row => row.router), is_selected);
	}

	order_form() {
		const what = select(ORDERS, {"data-key": "order"});
		const version = make("input", {required: true, autocomplete: "off", spellcheck: "false",
					       "data-key": "order version"});

		return make("form", {class: "orders", "aria-label": "Order for the selected routers", onsubmit: event => {
			event.preventDefault();
			this.attempt(() => this.order(what.value, version.value));
		}}, make("strong", {}, this.selected.size + " selected"), field("Order", what), field("Its version", version),
			    make("button", {class: "main"}, "Give the order"),
			    make("button", {type: "button", onclick: () => this.select([...this.selected], false)},
				 "Select none"));
	}

	/* A few routers at a time; what each says to it stands in the list. */
	async order(what, version) {
		const waiting = [...this.selected];
		const work = async () => {
			for (let name; (name = waiting.shift()) !== undefined;)
				this.results.append(await this.order_one(name, what, version));
		};

		this.results.replaceChildren();
		await Promise.all(Array.from({length: AT_ONCE}, work));
		await this.load();
	}

	async order_one(name, what, version) {
		const at = router_path(name) + "/downloads";
		let told;

		try {
			const {nodes} = what === "download"
				? await this.socket.ask("POST", at, {version})
				: await this.socket.ask("POST", `${at}/${encodeURIComponent(version)}/${what}`);

			told = nodes.map(node => [node.error === null, node.node + ": " + (node.error ?? "done")]);
			if (told.length === 0)
				told = [[false, "it has no nodes"]];
		} catch (error) {
			told = [[false, error.message]];
		}
		return make("li", {}, name + " ", told.map(([good, text]) => make(
			"span", {class: good ? "good" : "bad"}, text + " ")));
	}
}
