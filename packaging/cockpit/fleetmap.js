/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of the fleet: a cell a router, coloured by its mode, its enrolment or its connection. It is
 * a picture of what the table has: who cannot see it filters the table. */

import {field, make, select} from "./dom.js";

const PART = 10000; /* routers that are asked for at once */
const share = (n, all) => n === 0 ? "none" : n < all ? "some" : "all";
const SCHEMES = {
	"connection": {judge: row => share(row.connected, row.nodes),
		       looks: [["all", "all nodes connected"], ["some", "some"], ["none", "none"]]},
	"enrolment": {judge: row => share(row.enrolled, row.nodes),
		      looks: [["all", "all nodes enrolled"], ["some", "some"], ["none", "none"]]},
	"mode": {judge: row => row.mode,
		 looks: [["strong", "strong"], ["weak", "weak"], ["psk-only", "psk-only"], ["disabled", "disabled"]]},
};

export class FleetMap {
	constructor(socket, attempt, open) {
		Object.assign(this, {socket, attempt, open});
		this.rows = [];
		this.canvas = make("canvas", {role: "img", "aria-label": "Map of the fleet", onmousemove: event => this.point_at(event),
					      onclick: event => this.choose(event)});
		this.scheme = select(Object.keys(SCHEMES), {onchange: () => this.draw()});
		this.legend = make("ul", {class: "legend"});
		this.under = make("p", {class: "dim"}, " ");
		this.element = make("details", {ontoggle: () => this.element.open && attempt(() => this.load())},
				    make("summary", {}, "Map of the fleet"),
				    make("form", {onsubmit: event => event.preventDefault()},
					 field("Coloured by", this.scheme),
					 make("button", {type: "button", onclick: () => attempt(() => this.load())}, "Look again")),
				    this.canvas, this.under, this.legend);
		addEventListener("resize", () => this.draw());
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
	}

	async load() {
		const rows = [];
		let total = 1;

		while (rows.length < total) {
			const part = await this.socket.get(`/v1/fleet?first=${rows.length}&limit=${PART}`);

			if (part.fleet.length === 0)
				break;
			rows.push(...part.fleet);
			total = part.total;
		}
		this.rows = rows;
		this.draw();
	}

	colour(look) {
		return getComputedStyle(document.documentElement).getPropertyValue("--map-" + look).trim();
	}

	/* Cells of a whole number of pixels, as large as keeps the map on a screen. */
	draw() {
		const width = this.element.clientWidth;

		if (!this.element.open || width === 0)
			return;
		const {judge, looks} = SCHEMES[this.scheme.value];
		const n = Math.max(this.rows.length, 1);

		this.cell = Math.max(3, Math.min(16, Math.floor(Math.sqrt(width * 420 / n))));
		this.columns = Math.max(1, Math.floor(width / this.cell));
		this.canvas.width = this.columns * this.cell;
		this.canvas.height = Math.ceil(n / this.columns) * this.cell;
		const context = this.canvas.getContext("2d");
		const counts = {};

		this.rows.forEach((row, i) => {
			const look = judge(row);

			counts[look] = (counts[look] ?? 0) + 1;
			context.fillStyle = this.colour(look);
			context.fillRect(i % this.columns * this.cell, Math.floor(i / this.columns) * this.cell,
					 this.cell - 1, this.cell - 1);
		});
		this.tell(looks, counts);
	}

	tell(looks, counts) {
		const words = looks.map(([look, text]) => `${text}: ${counts[look] ?? 0}`);

		this.canvas.setAttribute("aria-label", `Map of ${this.rows.length} routers by ` +
			`${this.scheme.value}. ${words.join(", ")}`);
		this.legend.replaceChildren(...looks.map(([look], i) => make(
			"li", {}, make("span", {class: "swatch map-" + look, "aria-hidden": "true"}), words[i])));
	}

	row_at(event) {
		const box = this.canvas.getBoundingClientRect();
		const scale = this.canvas.width / box.width;
		const column = Math.floor((event.clientX - box.left) * scale / this.cell);
		const line = Math.floor((event.clientY - box.top) * scale / this.cell);

		return column < this.columns ? this.rows[line * this.columns + column] : undefined;
	}

	point_at(event) {
		const row = this.row_at(event);

		this.under.replaceChildren(row ? make("span", {}, `${row.router}: ${row.mode}, ${row.enrolled} of ` +
			`${row.nodes} enrolled, ${row.connected} connected`) : " ");
	}

	choose(event) {
		const row = this.row_at(event);

		if (row)
			this.open(row.router);
	}
}
