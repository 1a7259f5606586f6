/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rollouts of a conductor's registry: all of them, those that are not over first. */

import {make, show} from "./dom.js";
import * as format from "./format.js";
import {RolloutForm} from "./rolloutform.js";
import {badge, bar, had_an_end, is_over, legend, whom} from "./rolloutparts.js";

export class Rollouts {
	/* open(name): shows one of them. */
	constructor(socket, may_change, attempt, open) {
		Object.assign(this, {socket, open});
		this.rollouts = new Map();
		this.list = make("div", {});
		this.form = may_change && new RolloutForm(socket, attempt, open);
		this.element = make("div", {}, make("section", {"aria-labelledby": "rollouts"},
						    make("h2", {id: "rollouts"}, "Rollouts"), this.list),
				    this.form && this.form.element);
	}

	async load() {
		const [{rollouts}] = await Promise.all([this.socket.get("/v1/rollouts"), this.form && this.form.load()]);

		this.rollouts = new Map(rollouts.map(rollout => [rollout.name, rollout]));
		this.draw();
	}

	/* An event tells it. */
	take_rollout(rollout) {
		this.rollouts.set(rollout.name, rollout);
		this.draw();
	}

	draw() {
		const rows = [...this.rollouts.values()].sort(
			(a, b) => is_over(a) - is_over(b) || b.created - a.created || (a.name < b.name ? -1 : 1));

		show(this.list, rows, () => rows.length > 0 ? rows.map(rollout => this.card(rollout)) : make(
			"p", {class: "dim"}, "None yet. A rollout brings a version to many routers, a few of them first."));
	}

	card(rollout) {
		return make("article", {class: "rollout"},
			make("div", {class: "title"},
			     make("button", {class: "link", "data-key": "open " + rollout.name,
					     onclick: () => this.open(rollout.name)}, rollout.name),
			     badge(rollout.state), make("span", {}, rollout.version),
			     make("span", {class: "dim"}, whom(rollout))),
			bar(rollout),
			make("div", {class: "title"}, legend(rollout), make(
				"span", {class: "dim"}, `phase ${rollout.phase} of ${rollout.phases.length}, ` +
				`${had_an_end(rollout)} % of ${rollout.members}, since ${format.date(rollout.created)}`)));
	}
}
