/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The map of an image's pieces: a cell for some neighbours, by what is there and what comes. */

import {draw, make} from "./dom.js";
import * as format from "./format.js";

const CELL = 12, ROWS_MAX = 12;
const LOOKS = [["verified", "verified"], ["reused", "copied from another image"], ["held", "begun"],
	       ["in-flight", "in flight"], ["missing", "missing"]];

/* What the piece at an index is in: ranges are in order. */
function* looks_of(map, per_cell) {
	let range = 0;

	for (let at = 0; at < map.pieces; at += per_cell) {
		const end = Math.min(at + per_cell, map.pieces);
		const seen = [];

		while (map.ranges[range].first + map.ranges[range].pieces <= at)
			range++;
		for (let i = range; i < map.ranges.length && map.ranges[i].first < end; i++)
			seen.push(map.ranges[i]);
		yield {at, end, seen};
	}
}

/* Of a cell that is more than one thing, what is most worth seeing; half of it there: half there. */
function judge(cell) {
	const coming = cell.seen.find(range => range.state === "in-flight");
	const worst = coming ?? cell.seen.find(range => range.state === "held") ??
		cell.seen.find(range => range.state === "missing") ?? cell.seen[0];
	const part = worst.state === "missing" &&
		cell.seen.some(range => range.verified > 0);

	return {state: worst.state, source: worst.source, part};
}

function title_of(cell, look) {
	const pieces = cell.end - cell.at > 1 ? `Pieces ${cell.at} to ${cell.end - 1}` : `Piece ${cell.at}`;

	return pieces + ": " + look.state + (look.part ? ", some verified" : "") +
		(look.source ? " from " + look.source : "");
}

function count(map, state) {
	return map.ranges.filter(range => range.state === state).reduce((n, range) => n + range.pieces, 0);
}

function words_of(map) {
	const coming = [...new Set(map.ranges.filter(range => range.source).map(range => range.source))];
	const verified = map.ranges.reduce((n, range) => n + range.verified, 0);

	return `${verified} of ${map.pieces} pieces of ${format.bytes(map["piece-size"])} are verified, ` +
		`${count(map, "in-flight")} are in flight` + (coming.length > 0 ? " from " + coming.join(", ") : "") + ".";
}

export function pieces(map) {
	if (map.pieces === 0)
		return make("p", {class: "dim"}, map.state === "complete" ? "All pieces are there."
									   : "It is not known yet which pieces there are.");
	const columns = Math.floor(Math.min(Math.max(innerWidth - 60, 300), 960) / CELL);
	const per_cell = Math.ceil(map.pieces / (columns * ROWS_MAX));
	const cells = [...looks_of(map, per_cell)];
	const size = CELL - 2;
	const picture = draw("svg", {class: "pieces", role: "img", "aria-label": "Map of the pieces: " + words_of(map),
				     viewBox: `0 0 ${columns * CELL} ${Math.ceil(cells.length / columns) * CELL}`},
		cells.map((cell, i) => {
			const look = judge(cell);

			return draw("rect", {class: look.state + (look.part ? " part" : ""), width: size, height: size,
					     x: i % columns * CELL + 1, y: Math.floor(i / columns) * CELL + 1},
				    draw("title", {}, title_of(cell, look)));
		}));
	const swatch = look => draw("svg", {viewBox: "0 0 12 12", class: "pieces", "aria-hidden": "true"},
				    draw("rect", {class: look, x: 1, y: 1, width: 10, height: 10}));

	return make("figure", {}, picture, make("figcaption", {}, words_of(map)),
		    make("ul", {class: "legend"}, LOOKS.map(([look, text]) => make("li", {}, swatch(look), text))));
}
