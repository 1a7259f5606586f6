/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order for a new rollout. What is wrong with it the conductor says. */

import {confirm, field, make, select} from "./dom.js";

const CHOICES = [["all", "all routers"], ["labels", "routers with labels"], ["routers", "these routers"]];

const words = text => text.split(/[\s,]+/).filter(Boolean);

function labels_of(text) {
	return Object.fromEntries(words(text).map(word => {
		const at = word.indexOf("=");

		if (at < 1)
			throw new Error(`Labels are written NAME=VALUE, such as site=emea; "${word}" is none.`);
		return [word.slice(0, at), word.slice(at + 1)];
	}));
}

function text(attributes = {}) {
	return make("input", {autocomplete: "off", spellcheck: "false", maxlength: 200, ...attributes});
}

export class RolloutForm {
	/* made(name): it is there. */
	constructor(socket, attempt, made) {
		Object.assign(this, {socket, attempt, made});
		this.name = text({required: true, pattern: "[A-Za-z0-9._\\-]{1,63}"});
		this.images = make("datalist", {id: "versions"});
		this.version = text({required: true, list: "versions"});
		this.which = select(CHOICES, {onchange: () => this.show_meant()});
		this.meant = text({placeholder: "site=emea ring=1", "aria-label": "Labels"});
		this.phases = text({value: "1, 5%, 25%, 100%"});
		this.parallel = make("input", {type: "number", min: 1, max: 10000, value: 200, required: true});
		this.failures = text({value: "2%", size: 6, required: true});
		this.soak = make("input", {type: "number", min: 0, max: 43200, value: 0, required: true});
		this.approve = make("input", {type: "checkbox"});
		this.spread = text({size: 12});
		this.sequenced = make("input", {type: "checkbox"});
		this.finish = make("input", {type: "checkbox"});
		this.deadline = make("input", {type: "datetime-local"});
		this.zone = text({size: 16, placeholder: "UTC"});
		this.hours = make("div", {class: "hours"});
		this.add_hours();
		this.show_meant();
		this.element = make("section", {"aria-labelledby": "new-rollout"},
			make("h2", {id: "new-rollout"}, "A new rollout"), this.form());
	}

	async load() {
		const {images} = await this.socket.get("/v1/images");

		this.images.replaceChildren(...images.map(image => make("option", {value: image.version})));
	}

	form() {
		const group = (legend, ...fields) => make("fieldset", {}, make("legend", {}, legend), fields);

		return make("form", {class: "plan", "aria-label": "A new rollout", onsubmit: event => {
			event.preventDefault();
			this.attempt(() => this.order());
		}}, group("What", field("Name", this.name), field("Version of the image", this.version), this.images),
			    group("To whom", field("To", this.which), this.meant),
			    group("How fast", field("Phases", this.phases), field("At work at once", this.parallel),
				  field("Minutes between phases", this.soak), field("An operator approves each phase", this.approve)),
			    group("When it halts", field("More failures than", this.failures)),
			    make("details", {}, make("summary", {}, "Hours, deadline and order"),
				 group("Hours in which routers are ordered; none: always", this.hours,
				       make("button", {type: "button", onclick: () => this.add_hours()}, "More hours"),
				       field("Time zone", this.zone), field("Who is at work goes on after them", this.finish)),
				 group("Besides", field("Deadline, UTC", this.deadline), field("Spread over the values of label", this.spread),
				       field("Nodes of an HA pair one after the other", this.sequenced))),
			    make("div", {class: "buttons"}, make("button", {class: "main"}, "Begin the rollout…")));
	}

	show_meant() {
		const is_labels = this.which.value === "labels";

		this.meant.hidden = this.which.value === "all";
		this.meant.required = !this.meant.hidden;
		this.meant.placeholder = is_labels ? "site=emea ring=1" : "router1 router2";
		this.meant.setAttribute("aria-label", is_labels ? "Labels" : "Names of routers");
	}

	add_hours() {
		const input = (type, label, attributes) => make("input", {type, "aria-label": label, autocomplete: "off", ...attributes});

		if (this.hours.children.length < 8)
			this.hours.append(make("div", {}, input("text", "Days", {placeholder: "mon-fri", size: 12}), " from ",
					       input("time", "From", {}), " to ", input("time", "To", {})));
	}

	window_of() {
		return [...this.hours.children].map(row => [...row.querySelectorAll("input")].map(input => input.value))
			.filter(values => values.some(Boolean)).map(([days, from, to]) => ({days, from, to}));
	}

	selector() {
		switch (this.which.value) {
		case "labels": return {labels: labels_of(this.meant.value)};
		case "routers": return {routers: words(this.meant.value)};
		default: return {all: true};
		}
	}

	/* What is left empty keeps the conductor's default. */
	body() {
		const window = this.window_of();

		return {name: this.name.value, version: this.version.value, selector: this.selector(),
			...(words(this.phases.value).length > 0 && {phases: words(this.phases.value)}),
			parallel: Number(this.parallel.value), failures: this.failures.value, soak: Number(this.soak.value),
			approve: this.approve.checked, finish: this.finish.checked, sequenced: this.sequenced.checked,
			...(window.length > 0 && {window}), ...(this.zone.value && {zone: this.zone.value}),
			...(this.spread.value && {spread: this.spread.value}),
			...(this.deadline.value && {deadline: Math.floor(Date.parse(this.deadline.value + "Z") / 1000)})};
	}

	async order() {
		const body = this.body();
		const to = {all: "all routers that are enrolled", labels: "all routers with " + this.meant.value,
			    routers: this.meant.value}[this.which.value];

		if (!await confirm(`Begin ${body.name}?`, `${body.version} is brought to ${to}, in phases of ` +
				   `${(body.phases ?? ["1, 5%, 25%, 100%"]).join(", ")}, at most ${body.parallel} at once.`, "Begin the rollout"))
			return;
		const rollout = await this.socket.ask("POST", "/v1/rollouts", body);

		this.made(rollout.name);
	}
}
