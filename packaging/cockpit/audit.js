/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who came, and what became of it: the newest first. */

import {field, make, select, show, table} from "./dom.js";
import * as format from "./format.js";

const SHOWN = 200;
const CLASSES = {"enrolled": "good", "refused": "bad", "other-device": "bad"};
const SINCE = [[3600, "the last hour"], [86400, "the last day"], [7 * 86400, "the last week"], [0, "everything"]];

function rows_of(audit) {
	const newest = audit.slice(-SHOWN).reverse();

	if (newest.length === 0)
		return make("p", {class: "dim"}, "Nothing.");
	return [table("What happened", ["Time", "Outcome", "Router", "Node", "From", "Conductor", "Reason"],
		      newest.map(row => [format.date(row.time), make("span", {class: CLASSES[row.outcome]}, row.outcome),
					 row.router, row.node, row.address, row.conductor, row.reason || null])),
		audit.length > SHOWN && make("p", {class: "dim"}, `The newest ${SHOWN} of ${audit.length}.`)];
}

/* They have no name that could be believed: a count a minute and address. */
function failures_of(failures) {
	return failures?.length > 0 && table("Strangers that failed", ["Minute", "From", "How often"],
		failures.slice(-SHOWN).reverse().map(f => [format.date(f.minute), f.address, f.count]));
}

export class Audit {
	/* router: null = of all. Asked for where somebody looks at it. */
	constructor(socket, attempt, router = null) {
		Object.assign(this, {socket, router});
		const again = () => this.details.open && attempt(() => this.load());

		this.since = select(SINCE, {onchange: again});
		this.since.value = 86400;
		this.list = make("div", {});
		this.details = make("details", {ontoggle: again}, make("summary", {}, "Who came, and what became of it"),
				    make("form", {onsubmit: event => event.preventDefault()}, field("Of", this.since)),
				    this.list);
		this.element = make("section", {"aria-labelledby": "audit"}, make("h2", {id: "audit"}, "Audit"),
				    this.details);
	}

	async load() {
		if (!this.details.open)
			return;
		const query = new URLSearchParams(this.router ? {router: this.router} : {});

		if (this.since.value > 0)
			query.set("since", Math.floor(Date.now() / 1000) - this.since.value);
		const {audit, failures} = await this.socket.get("/v1/audit?" + query);

		show(this.list, [audit, failures], () => [rows_of(audit), failures_of(failures)]);
	}
}
