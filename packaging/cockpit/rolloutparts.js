/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rollout looks like: its members by state in one bar, and its state in one word. */

import {draw, make} from "./dom.js";

/* Who has had its turn stands at the left, so that the bar has come as far as the rollout has. */
export const MEMBERS = ["done", "skipped", "failed", "downloading", "ordered", "unreachable", "waiting"];
export const STATES = ["running", "soaking", "approval", "paused", "halted", "cancelled", "done"];
const WIDTH = 1000;

export const rollout_path = name => "/v1/rollouts/" + encodeURIComponent(name);

/* Of what is known only, so that no text of others becomes a class. */
const known = (state, states) => states.includes(state) ? state : "unknown";

export function badge(state) {
	return make("span", {class: "badge state-" + known(state, STATES)}, state);
}

export const whom = rollout => rollout.selector === "all" ? "all routers" : rollout.selector;

function counted(rollout) {
	return MEMBERS.map(state => [state, Number(rollout.counts[state] ?? 0)]);
}

export function bar(rollout) {
	const said = counted(rollout).filter(([, n]) => n > 0).map(([state, n]) => n + " " + state).join(", ");
	const scale = WIDTH / Math.max(1, rollout.members);
	let at = 0;

	return draw("svg", {class: "members", viewBox: `0 0 ${WIDTH} 20`, preserveAspectRatio: "none", role: "img",
			    "aria-label": `Of ${rollout.members} routers: ${said}`},
		    counted(rollout).map(([state, n]) => {
			    const x = at * scale;

			    at += n;
			    return n > 0 && draw("rect", {class: "member-" + state, x, y: 0, width: n * scale, height: 20},
						 draw("title", {}, n + " " + state));
		    }),
		    rollout.phases.slice(0, -1).map(end => draw("path", {class: "phase", d: `M${end * scale} 0v20`})));
}

export function legend(rollout) {
	return make("ul", {class: "legend"}, counted(rollout).filter(([, n]) => n > 0).map(([state, n]) => make(
		"li", {}, make("span", {class: "swatch member-" + state}), make("strong", {}, n), " " + state)));
}

export function had_an_end(rollout) {
	const {done = 0, failed = 0, skipped = 0} = rollout.counts;

	return Math.floor((done + failed + skipped) * 100 / Math.max(1, rollout.members));
}

export function is_over(rollout) {
	return rollout.state === "done" || rollout.state === "cancelled";
}
