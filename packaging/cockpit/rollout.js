/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One rollout: how far it is, who has failed and why, and what an operator may want of it. */

import {confirm, facts, make, show, table} from "./dom.js";
import * as format from "./format.js";
import {badge, bar, had_an_end, is_over, legend, rollout_path, whom} from "./rolloutparts.js";

const ROUTERS_SHOWN = 200;
const URGENT = ["failed", "unreachable", "downloading", "ordered"];
const CLASSES = {"failed": "bad", "unreachable": "dim", "downloading": "good"};

const WISHES = {
	"pause": ["Pause", "Nobody is ordered, and who is at work is paused, until it is resumed.", ["running", "soaking", "approval"]],
	"resume": ["Resume", "It goes on where it was.", ["paused", "halted"]],
	"approve": ["Approve the next phase", "The next phase begins at once.", ["approval"]],
	"cancel": ["Cancel", "Nobody is ordered any more; who is at work goes on to its own end. It cannot be resumed.",
		   ["running", "soaking", "approval", "paused", "halted"]],
};

function what_it_means(wish, rollout) {
	return wish === "resume" && rollout.state === "halted"
		? `${rollout.counts.failed} routers have failed, which is more than may (${rollout.failures}). It goes on in ` +
		  "spite of them, and the audit says who wanted that."
		: WISHES[wish][1];
}

function what_now(rollout) {
	switch (rollout.state) {
	case "halted": return `More than ${rollout.failures} have failed: nobody is ordered until it is resumed.`;
	case "paused": return "An operator has paused it: nobody is ordered until it is resumed.";
	case "approval": return `Phase ${rollout.phase} is over. The next one begins when an operator approves it.`;
	case "soaking": return `Phase ${rollout.phase} is over. The next one begins ${rollout.soak} minutes later.`;
	case "cancelled": return "An operator has cancelled it: nobody is ordered any more.";
	default: return null;
	}
}

export class Rollout {
	/* leave(): shows all of them again. open_router(name): shows one router. */
	constructor(socket, may_change, attempt, name, leave, open_router) {
		Object.assign(this, {socket, may_change, attempt, name, open_router});
		this.rollout = null;
		this.head = make("div", {class: "one"});
		this.orders = make("div", {class: "buttons"});
		this.plan = make("div", {class: "plan"});
		this.routers = make("div", {});
		this.element = make("div", {},
			make("section", {"aria-labelledby": "rollout"},
			     make("button", {class: "link", onclick: leave}, "← All rollouts"),
			     make("h2", {id: "rollout"}, name), this.head, this.orders, this.plan),
			make("section", {"aria-labelledby": "its-routers"},
			     make("h2", {id: "its-routers"}, "Its routers"), this.routers));
	}

	async load() {
		this.rollout = await this.socket.get(rollout_path(this.name));
		this.draw();
	}

	/* An event tells it, without its routers: these are asked for at the next look. */
	take_rollout(rollout) {
		if (rollout.name !== this.name || !this.rollout)
			return;
		Object.assign(this.rollout, rollout);
		this.draw();
	}

	draw() {
		const {routers, ...rollout} = this.rollout;
		const now = what_now(rollout);

		show(this.head, rollout, () => [
			make("div", {class: "title"}, badge(rollout.state), make("strong", {}, rollout.version),
			     make("span", {class: "dim"}, whom(rollout)),
			     make("span", {role: "status"}, `${had_an_end(rollout)} % of ${rollout.members} routers`)),
			bar(rollout), legend(rollout), this.phases(rollout),
			now && make("p", {class: rollout.state === "halted" ? "bad" : ""}, now)]);
		show(this.orders, [rollout.state, rollout.counts.failed], () => this.may_change && this.buttons(rollout));
		show(this.plan, rollout, () => this.facts(rollout));
		show(this.routers, routers, () => this.listed(routers));
	}

	phases(rollout) {
		return make("ol", {class: "steps", "aria-label": "Phases"}, rollout.phases.map((end, i) => {
			const n = end - (i > 0 ? rollout.phases[i - 1] : 0);
			const is_now = i + 1 === rollout.phase && !is_over(rollout);

			return make("li", {"aria-current": is_now && "step",
					   class: i + 1 < rollout.phase || rollout.state === "done" ? "good" : is_now ? "" : "dim"},
				    n === 1 ? "1 router" : n + " routers");
		}));
	}

	buttons(rollout) {
		return Object.entries(WISHES).filter(([, [, , states]]) => states.includes(rollout.state))
			.map(([wish, [label]]) => make("button", {
				class: wish === "cancel" ? "danger" : wish === "pause" ? "" : "main", "data-key": wish,
				onclick: () => this.want(wish, label)}, label + "…"));
	}

	async want(wish, label) {
		if (await confirm(`${label}: ${this.name}?`, what_it_means(wish, this.rollout), label))
			await this.attempt(async () => {
				this.rollout = await this.socket.ask("POST", rollout_path(this.name) + "/" + wish);
				this.draw();
			});
	}

	facts(rollout) {
		const hours = rollout.window.map(item => `${item.days} ${item.from}–${item.to}`).join("; ");

		return facts([["At work at once", "at most " + rollout.parallel], ["Failures", "more than " + rollout.failures + " halt it"],
			      ["Between phases", [rollout.soak > 0 && rollout.soak + " minutes", rollout.approve && "an operator approves"]
				      .filter(Boolean).join(", ") || "no pause"],
			      ["Hours", hours && `${hours}, ${rollout.zone || "UTC"}` + (rollout.finish ? "; who is at work goes on after them" : "")],
			      ["Deadline", format.date(rollout.deadline)],
			      ["HA pairs", rollout.sequenced && "one node after the other"],
			      ["Since", format.date(rollout.created)], ["Driven by", rollout.conductor]].filter(([, value]) => value));
	}

	listed(routers) {
		const rows = [...routers].sort((a, b) => URGENT.indexOf(a.state) - URGENT.indexOf(b.state));

		if (rows.length === 0)
			return make("p", {class: "dim"}, "None is at work, away or has failed.");
		return [table("Routers that failed, are away or at work", ["Router", "State", "Why"], rows.slice(0, ROUTERS_SHOWN).map(row => [
			make("button", {class: "link", "data-key": "open " + row.router,
					onclick: () => this.open_router(row.router)}, row.router),
			make("span", {class: CLASSES[row.state] ?? ""}, row.state), row.reason])),
			rows.length > ROUTERS_SHOWN && make("p", {class: "dim"}, `The first ${ROUTERS_SHOWN}; there are more.`)];
	}
}
