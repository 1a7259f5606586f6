/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The downloads of this node: each with its bar, its sources and its timeline, kept up to date by
 * events; and what may be ordered. */

import {confirm, make, table} from "./dom.js";
import * as format from "./format.js";
import {pieces} from "./pieces.js";
import {timeline} from "./timeline.js";

export const RUNNING = ["queued", "waiting-peer", "checking", "discovering", "downloading", "waiting-retry", "finishing"];
/* Versions of which somebody looks at more: also after the daemon was started anew. */
const looked_at = new Set();
const path_of = version => "/v1/downloads/" + encodeURIComponent(version);

function summary_of(download) {
	const parts = [download.state, format.bytes(download["bytes-verified"]) + " of " +
		       format.bytes(download["bytes-total"])];

	if (download.rate > 0)
		parts.push(format.bytes(download.rate) + "/s");
	if (download.eta !== null)
		parts.push(format.duration(download.eta) + " left");
	if (download["active-source"] && download.state === "downloading")
		parts.push("from " + download["active-source"]);
	parts.push("attempt " + download.attempt);
	return parts.join(" · ");
}

function sources_of(download) {
	return table("Sources", ["Source", "Kind", "State", "Requests", "Failures", "Bytes", "Reason"],
		download.sources.map(s => [s.name, s.kind, s.state, s.requests, s.failures,
					   format.bytes(s.bytes), s.reason]));
}

class Card {
	constructor(page, download) {
		this.page = page;
		this.version = download.version;
		this.summary = make("p", {class: "dim"});
		this.error = make("p", {class: "bad"});
		this.bar = make("progress", {max: 100, "aria-label": "Verified, of " + download.version});
		this.buttons = make("div", {class: "buttons"});
		this.more = make("div", {});
		this.details = make("details", {open: looked_at.has(this.version), ontoggle: () => {
			looked_at[this.details.open ? "add" : "delete"](this.version);
			this.refresh();
		}},
				    make("summary", {}, "How it went, its pieces and sources"), this.more);
		this.element = make("article", {"aria-label": "Download of " + download.version},
				    make("h3", {}, download.version), this.bar, this.summary, this.error,
				    this.buttons, this.details);
		this.show(download);
	}

	show(download) {
		const changed = this.download?.state !== download.state;

		this.download = download;
		this.bar.value = format.percent(download);
		this.summary.replaceChildren(summary_of(download));
		this.error.replaceChildren(...(download.error ? [make("span", {}, download.error)] : []));
		if (changed)
			this.offer();
		this.refresh();
	}

	offer() {
		const state = this.download.state;
		const order = (label, action, when) => this.page.may_change && when && make(
			"button", {onclick: () => this.order(action)}, label);

		this.buttons.replaceChildren(...[
			order("Pause", "pause", RUNNING.includes(state)),
			order("Resume", "resume", state === "paused"),
			order("Start again", "again", state === "failed" || state === "cancelled"),
			this.page.may_change && state !== "complete" && state !== "cancelled" && make(
				"button", {class: "danger", onclick: () => this.cancel()}, "Cancel…"),
		].filter(Boolean));
	}

	order(action, body = "") {
		return this.page.attempt(async () => {
			this.show(action === "again"
				? await this.page.socket.ask("POST", "/v1/downloads", {version: this.version})
				: await this.page.socket.ask("POST", path_of(this.version) + "/" + action, body));
		});
	}

	async cancel() {
		const discard = make("input", {type: "checkbox"});

		if (await confirm("Cancel " + this.version + "?", "What was fetched stays for a later request.",
				  "Cancel the download", make("label", {}, discard, "Discard what was fetched")))
			await this.order("cancel", {force: discard.checked});
	}

	/* The timeline is asked for once in two seconds at most, and only where it is looked at. */
	async refresh() {
		this.again = this.asking;
		if (!this.details.open || this.asking)
			return;
		this.asking = true;
		try {
			const [history, map] = await Promise.all(["/history", "/pieces"].map(
				what => this.page.socket.get(path_of(this.version) + what)));

			this.more.replaceChildren(timeline(history), make("h4", {}, "Pieces"), pieces(map),
						  sources_of(this.download));
		} catch (error) {
			this.more.replaceChildren(make("p", {class: "bad"}, error.message));
		}
		setTimeout(() => {
			this.asking = false;
			if (this.again)
				this.refresh();
		}, 2000);
	}
}

export class Downloads {
	constructor(socket, may_change, attempt) {
		Object.assign(this, {socket, may_change, attempt});
		this.cards = new Map();
		this.list = make("div", {});
		this.element = make("section", {"aria-labelledby": "downloads"},
				    make("h2", {id: "downloads"}, "Downloads"), may_change && this.form(), this.list);
	}

	form() {
		const version = make("input", {required: true, pattern: "[A-Za-z0-9][A-Za-z0-9._+\\-]{0,127}",
					       autocomplete: "off", spellcheck: "false"});
		const force = make("input", {type: "checkbox"});
		const sequenced = make("input", {type: "checkbox"});
		const submit = event => {
			event.preventDefault();
			this.attempt(async () => {
				this.show(await this.socket.ask("POST", "/v1/downloads", {
					version: version.value, force: force.checked, sequenced: sequenced.checked}));
				version.value = "";
			});
		};

		return make("form", {onsubmit: submit, "aria-label": "Download a version"},
			    make("label", {}, "Version", version), make("label", {}, force, "Discard what is there"),
			    make("label", {}, sequenced, "One node after the other"),
			    make("button", {class: "main"}, "Download"));
	}

	/* What events tell, too: where one is missed, it is here. */
	async load() {
		const {downloads} = await this.socket.get("/v1/downloads");

		downloads.forEach(download => this.show(download));
		if (this.cards.size === 0)
			this.list.replaceChildren(make("p", {class: "dim"}, "None yet."));
	}

	show(download) {
		const card = this.cards.get(download.version);

		if (card) {
			card.show(download);
			return;
		}
		if (this.cards.size === 0)
			this.list.replaceChildren();
		this.cards.set(download.version, new Card(this, download));
		this.list.append(this.cards.get(download.version).element);
	}
}
