/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a router's node stands: the encrypted directories, and its onboarding with its tunnels. */

import {facts, make, show, table} from "./dom.js";
import * as format from "./format.js";

/* What an operator does about it. Causes of an event are in the journal: see journal.js. */
const ADVICE = {
	"locked": "Restart the machine. If they stay locked, the journal says why and what to do: " +
		"journalctl -u integrity-handler",
	"incomplete": "A directory of the configuration is not encrypted yet. It will be at the next boot, " +
		"or by: stewardctl request configuration-integrity enable",
	"not enabled": "The directories are not encrypted. They will be at the next boot, " +
		"or by: stewardctl request configuration-integrity enable",
	"unsupported": "This machine cannot take part, and its directories are plain. When the reason is gone: " +
		"stewardctl request configuration-integrity enable",
};

export class Integrity {
	constructor(socket) {
		this.socket = socket;
		this.body = make("div", {});
		this.element = make("section", {"aria-labelledby": "integrity"},
				    make("h2", {id: "integrity"}, "Configuration Integrity"), this.body);
	}

	async load() {
		const state = await this.socket.get("/v1/integrity");
		const open = state.state === "unlocked" || state.state === "off";

		show(this.body, state, () => [
			make("p", {class: open ? "good" : "bad"}, state.state),
			state.reason && make("p", {class: open ? "dim" : "bad"}, state.reason),
			ADVICE[state.state] && make("p", {}, ADVICE[state.state]),
			facts([["Record", state.record], ["TPM key", state.record && state["key-handle"]],
			       ["Pin", state.record && state["nv-index"]],
			       ["PCRs", state.record && state.pcr.join(", ")], ["Policy", state.policy?.name]]),
			state.directories.length > 0 && table("Directories", ["Directory", "State", "Key"],
				state.directories.map(d => [d.path, d.state, d["key-identifier"]]))]);
	}
}

const STEPS = ["unconfigured", "connecting", "initializing", "onboarded"];

function steps_of(state) {
	const at = STEPS.indexOf(state);

	return make("ol", {class: "steps", "aria-label": "Steps"}, STEPS.map((step, i) => make(
		"li", {class: i === at ? "good" : "dim", "aria-current": i === at && "step"}, step)));
}

export class Onboarding {
	constructor(socket, may_change, attempt) {
		Object.assign(this, {socket, attempt});
		this.body = make("div", {});
		this.element = make("section", {"aria-labelledby": "onboarding"},
				    make("h2", {id: "onboarding"}, "Onboarding"), this.body, may_change && this.form());
	}

	form() {
		const text = make("textarea", {required: true, spellcheck: "false", autocomplete: "off",
					       "aria-label": "Onboarding configuration"});
		const file = make("input", {type: "file", class: "file", accept: ".json,application/json",
					    "aria-label": "Onboarding configuration, as a file",
					    onchange: async () => { text.value = await file.files[0].text(); }});
		const submit = event => {
			event.preventDefault();
			this.attempt(async () => {
				await this.socket.ask("POST", "/v1/onboarding", text.value);
				text.value = "";
				await this.load();
			});
		};

		return make("details", {}, make("summary", {}, "Apply an onboarding configuration"),
			    make("form", {onsubmit: submit}, file, text, make("button", {}, "Apply")));
	}

	async load() {
		const state = await this.socket.get("/v1/onboarding");

		show(this.body, state, () => [
			steps_of(state.state), (state.reason || !STEPS.includes(state.state)) && make(
				"p", {class: "bad"}, state.state, state.reason ? ": " + state.reason : ""),
			facts([["Router", state.name], ["Token", state.jti], ["At least", state["minimum-mode"]],
			       ["Newer token", state.next && state.next.state + (state.next.reason ? ": " + state.next.reason : "")]]),
			state.conductors.length > 0 && table("Tunnels", ["Conductor", "Tunnel", "Since", "Key exchange", "Problem", "Next try"],
				state.conductors.map(c => [c.host, c.tunnel, format.date(c.since), c["key-exchange"],
							   c.problem, format.date(c["next-try"])]))]);
	}
}
