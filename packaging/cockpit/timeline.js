/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a download went: bytes a second stacked by source, requests that failed, and marks. The same
 * picture as stewardctl's plot: long waits are cut, letters of one time stand beside each other. */

import {draw, make} from "./dom.js";
import * as format from "./format.js";

const LEFT = 90, TOP = 26, BOTTOM = 226, HEIGHT = 256;
const KINDS = {
	"failover": ["F", "another source is asked"], "source-left": ["L", "a source is left"],
	"mismatch": ["M", "a piece does not match"],
	"waiting-retry": ["W", "the attempt ended, the next one is waited for"],
	"paused": ["P", "paused"], "failed": ["X", "failed"], "cancelled": ["C", "cancelled"],
	"complete": ["E", "complete"],
};

const sum = numbers => numbers.reduce((a, b) => a + b, 0);

/* Where each point begins on an axis whose long waits are cut, and how long that is. */
function axis_of(history) {
	const step = history.resolution;
	const cut = Math.max(step, step * history.points.length / 8);
	let length = 0, last = null;
	const starts = history.points.map(point => {
		if (last !== null)
			length += Math.min(point.at - last - step, cut);
		last = point.at;
		length += step;
		return length - step;
	});

	/* Its letters keep their size on a phone, too. */
	const width = Math.min(Math.max(innerWidth - 60, 300), 960);

	return {starts, length, width, right: width - 10,
		x: at => length > 0 ? LEFT + at / length * (width - 10 - LEFT) : LEFT};
}

function place_of(axis, history, at_s) {
	let i = history.points.length;

	while (i > 0 && history.points[i - 1].at > at_s)
		i--;
	if (i === 0)
		return 0;
	return Math.min(axis.starts[i - 1] + at_s - history.points[i - 1].at,
			i < axis.starts.length ? axis.starts[i] : axis.length);
}

function draw_grid(axis, y, most) {
	return [0, 1, 2, 3, 4].map(i => [
		draw("path", {class: "grid", d: `M${LEFT} ${y(most * i / 4)}H${axis.right}`}),
		draw("text", {x: LEFT - 8, y: y(most * i / 4) + 5, "text-anchor": "end"},
		     format.bytes(most * i / 4) + "/s")]);
}

function draw_source(history, axis, y, source) {
	const step = history.resolution;
	const bars = history.points.map((point, i) => {
		const below = sum(point.bytes.slice(0, source)) / step;
		const rate = point.bytes[source] / step;

		return rate > 0 ? `M${axis.x(axis.starts[i])} ${y(below)}V${y(below + rate)}` +
			`H${axis.x(axis.starts[i] + step)}V${y(below)}Z` : "";
	});

	return draw("path", {class: "s" + source, d: bars.join("")},
		    draw("title", {}, history.sources[source]));
}

export function describe(mark) {
	const kind = KINDS[mark.kind] ?? ["?", mark.kind];

	return kind[0] + "  " + format.date(mark.at).slice(11, 19) + "  " + kind[1] +
		(mark.source ? ": " + mark.source : "") + (mark.reason ? ": " + mark.reason : "");
}

function draw_marks(history, axis) {
	let free = LEFT;

	return history.marks.map(mark => {
		const x = axis.x(place_of(axis, history, mark.at));
		const letter = Math.min(Math.max(x, free), axis.right);

		free = letter + 12;
		return draw("g", {}, draw("title", {}, describe(mark)),
			    draw("path", {class: "mark", d: `M${x} ${TOP - 6}V${BOTTOM}`}),
			    draw("text", {x: letter, y: TOP - 10, "text-anchor": "middle"},
				 (KINDS[mark.kind] ?? ["?"])[0]));
	});
}

function draw_failures(history, axis) {
	return history.points.map((point, i) => point.failures > 0 && draw(
		"path", {class: "failure", d: `M${axis.x(axis.starts[i])} ${BOTTOM}v10`},
		draw("title", {}, "requests that failed: " + point.failures)));
}

function legend(history) {
	const swatch = i => draw("svg", {viewBox: "0 0 12 12", "aria-hidden": "true"},
				 draw("rect", {class: "s" + i, width: 12, height: 12}));

	return make("ul", {class: "legend"}, history.sources.map((name, i) => make(
		"li", {}, swatch(i), name + ", " + format.bytes(sum(history.points.map(p => p.bytes[i]))))));
}

export function timeline(history) {
	const marks = make("ol", {class: "marks"}, history.marks.map(m => make("li", {}, describe(m))));

	if (history.points.length === 0)
		return make("div", {}, make("p", {class: "dim"}, "Nothing was fetched yet."), marks);
	const axis = axis_of(history);
	const most = Math.max(...history.points.map(p => sum(p.bytes) / history.resolution));
	const y = rate => most > 0 ? BOTTOM - rate / most * (BOTTOM - TOP) : BOTTOM;
	const first = history.points[0].at;
	const last = history.points.at(-1).at + history.resolution;
	const picture = draw("svg", {viewBox: `0 0 ${axis.width} ${HEIGHT}`, role: "img",
				     "aria-label": "Bytes a second by source, from " + format.date(first)},
		draw_grid(axis, y, most), history.sources.map((_, i) => draw_source(history, axis, y, i)),
		draw_failures(history, axis), draw_marks(history, axis),
		draw("text", {x: LEFT, y: HEIGHT - 4}, format.date(first).slice(11, 19)),
		draw("text", {x: axis.right, y: HEIGHT - 4, "text-anchor": "end"}, format.date(last)));

	return make("div", {}, picture, legend(history), marks);
}
