/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of the fleet: a cell a router, coloured by its connection, enrolment or mode, or by what it says
 * of its downloads. Who cannot see it has the numbers in its label and legend, and filters the table. */

import {field, make, select} from "./dom.js";
import {Versions} from "./fleetversions.js";

const PART = 10000; /* routers that are asked for at once */
const COLOURS = 6;  /* for the commonest versions; the rest share one */
const share = (n, all) => n === 0 ? "none" : n < all ? "some" : "all";
const SCHEMES = {
	"connection": {judge: row => share(row.connected, row.nodes),
		       looks: [["all", "all nodes connected"], ["some", "some"], ["none", "none"]]},
	"enrolment": {judge: row => share(row.enrolled, row.nodes),
		      looks: [["all", "all nodes enrolled"], ["some", "some"], ["none", "none"]]},
	"mode": {judge: row => row.mode,
		 looks: [["strong", "strong"], ["weak", "weak"], ["psk-only", "psk-only"], ["disabled", "disabled"]]},
	"download": {asks: true, judge: (row, versions) => versions.of(row).download,
		     looks: [["complete", "complete"], ["running", "running"], ["paused", "paused"], ["failed", "failed"],
			     ["differ", "its nodes differ"], ["none", "no download"], ["unknown", "not known"]]},
	"version": {asks: true, judge: (row, versions) => versions.of(row).version,
		    looks: [["differ", "its nodes differ"], ["none", "no image"], ["unknown", "not known"]]},
};

/* A colour for each of the commonest versions. What a look is not drawn by its name is drawn as "other". */
function versions_in(counts, words) {
	const versions = Object.keys(counts).filter(name => !words.some(([look]) => look === name))
		.sort((a, b) => counts[b] - counts[a] || (a < b ? -1 : 1));

	return versions.slice(0, COLOURS).map((name, i) => [name, name, "s" + i])
		.concat(versions.length > COLOURS ? [["other", "others", "s7"]] : []);
}

/* What each row is, how many are that, and the looks: [what, its words, its colour]. */
function judge_all(rows, scheme, versions) {
	const judged = rows.map(row => scheme.judge(row, versions));
	const counts = judged.reduce((all, look) => all.set(look, (all.get(look) ?? 0) + 1), new Map());
	const looks = versions_in(Object.fromEntries(counts), scheme.looks)
		.concat(scheme.looks.map(([look, text]) => [look, text, "map-" + look]));
	const other = rows.length - looks.reduce((n, [look]) => n + (counts.get(look) ?? 0), 0);

	return {judged, looks, count: look => look === "other" ? other : counts.get(look) ?? 0};
}

export class FleetMap {
	constructor(socket, attempt, open) {
		Object.assign(this, {socket, attempt, open});
		this.rows = [];
		this.versions = new Versions(socket);
		this.canvas = make("canvas", {role: "img", "aria-label": "Map of the fleet", onmousemove: event => this.point_at(event),
					      onclick: event => this.choose(event)});
		this.scheme = select(Object.keys(SCHEMES), {onchange: () => attempt(() => this.look())});
		this.legend = make("ul", {class: "legend"});
		this.asked = make("p", {class: "dim", role: "status"});
		this.under = make("p", {class: "dim"}, " ");
		this.element = make("details", {ontoggle: () => this.element.open ? attempt(() => this.load()) : this.versions.stop()},
				    make("summary", {}, "Map of the fleet"),
				    make("form", {onsubmit: event => event.preventDefault()},
					 field("Coloured by", this.scheme),
					 make("button", {type: "button", onclick: () => attempt(() => this.load())}, "Look again")),
				    this.canvas, this.under, this.legend, this.asked);
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
		await this.look();
	}

	/* What only the routers know is asked for where somebody wants to see it. */
	async look() {
		const asks = SCHEMES[this.scheme.value].asks;
		let drawn = 0;

		this.versions.stop();
		this.draw();
		if (asks)
			await this.versions.ask(this.rows, (done, all) => {
				if (!this.canvas.isConnected) /* another place is shown */
					this.versions.stop();
				this.asked.replaceChildren(make("span", {}, done < all ? `${done} of ${all} connected routers have answered.`
					: `All ${all} connected routers were asked.`));
				if (done === all || performance.now() - drawn > 500) {
					drawn = performance.now();
					this.draw();
				}
			});
	}

	/* Cells of a whole number of pixels, as large as keeps the map on a screen. */
	draw() {
		const width = this.element.clientWidth;

		if (!this.element.open || width === 0)
			return;
		const scheme = SCHEMES[this.scheme.value];
		const seen = judge_all(this.rows, scheme, this.versions);
		const n = Math.max(this.rows.length, 1);

		this.cell = Math.max(3, Math.min(16, Math.floor(Math.sqrt(width * 420 / n))));
		this.columns = Math.max(1, Math.floor(width / this.cell));
		this.canvas.width = this.columns * this.cell;
		this.canvas.height = Math.ceil(n / this.columns) * this.cell;
		if (!scheme.asks)
			this.asked.replaceChildren();
		this.paint(seen);
		this.tell(seen);
	}

	paint({judged, looks}) {
		const context = this.canvas.getContext("2d");
		const style = getComputedStyle(document.documentElement);
		const colours = new Map(looks.map(([look,, name]) => [look, style.getPropertyValue("--" + name).trim()]));

		judged.forEach((look, i) => {
			context.fillStyle = colours.get(look) ?? colours.get("other");
			context.fillRect(i % this.columns * this.cell, Math.floor(i / this.columns) * this.cell,
					 this.cell - 1, this.cell - 1);
		});
	}

	tell({looks, count}) {
		const words = looks.map(([look, text]) => `${text}: ${count(look)}`);

		this.canvas.setAttribute("aria-label", `Map of ${this.rows.length} routers by ` +
			`${this.scheme.value}. ${words.join(", ")}`);
		this.legend.replaceChildren(...looks.map(([,, colour], i) => make(
			"li", {}, make("span", {class: "swatch " + colour, "aria-hidden": "true"}), words[i])));
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

		this.under.replaceChildren(row ? make("span", {}, this.words_of(row)) : " ");
	}

	words_of(row) {
		const {version, download} = this.versions.of(row);

		return `${row.router}: ${row.mode}, ${row.enrolled} of ${row.nodes} enrolled, ${row.connected} connected` +
			(SCHEMES[this.scheme.value].asks ? `, version ${version}, download ${download}` : "");
	}

	choose(event) {
		const row = this.row_at(event);

		if (row)
			this.open(row.router);
	}
}
