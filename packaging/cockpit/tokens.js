/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Onboarding tokens: made, shown once, listed with their end, revoked. */

import {confirm, field, make, select, table} from "./dom.js";
import * as format from "./format.js";
import {router_path} from "./orders.js";
import {Paged} from "./paged.js";

const DURATIONS = [["1h", "1 hour"], ["1d", "1 day"], ["7d", "7 days"], ["30d", "30 days"]];
const CLASSES = {"valid": "good", "expired": "dim", "revoked": "bad"};

/* What the router is given: its onboarding-config.json. */
async function onboarding_of(socket, router, token) {
	const {conductors} = await socket.get("/v1/conductors");
	const {mode} = await socket.get(router_path(router));
	let hosts = conductors.map(conductor => conductor.host);

	if (hosts.length === 0)
		hosts = [(await socket.get("/v1/onboarding")).address];
	return {"mode": "conductor-managed", "name": router, "conductor-hosts": hosts.slice(0, 8),
		"secure-conductor-onboarding-token": token,
		...(mode !== "disabled" && {"minimum-mode": mode})};
}

function save(name, text) {
	const url = URL.createObjectURL(new Blob([text], {type: "application/json"}));
	const link = make("a", {href: url, download: name});

	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 1000);
}

/* The token is in this dialog and nowhere else, and is gone with it. */
function show_once(router, made, text) {
	const area = make("textarea", {readonly: true, rows: 6, "aria-label": "The token of " + router}, made.token);
	const said = make("span", {role: "status", class: "good"});
	const copy = async () => {
		area.select();
		try {
			await navigator.clipboard.writeText(made.token);
			said.textContent = "Copied.";
		} catch {
			said.textContent = document.execCommand("copy") ? "Copied." : "Selected: copy it by the keyboard.";
		}
	};
	const dialog = make("dialog", {"aria-labelledby": "token-title"},
		make("h2", {id: "token-title"}, "A token for " + router),
		make("p", {}, "It lets the router in once, until ", format.date(made.exp),
		     ". It is shown only now: nobody can look it up later."), area,
		make("div", {class: "buttons"}, make("button", {class: "main", onclick: copy}, "Copy"),
		     make("button", {onclick: () => save("onboarding-config.json", text)},
			  "Save as onboarding-config.json"),
		     make("button", {onclick: () => dialog.close()}, "Done"), said));

	dialog.addEventListener("close", () => {
		area.value = "";
		dialog.remove();
	});
	document.body.append(dialog);
	dialog.showModal();
}

async function make_token(socket, router, duration) {
	const made = await socket.ask("POST", router_path(router) + "/tokens", {"expiration-timeout": duration});
	const document_of = await onboarding_of(socket, router, made.token);

	show_once(router, made, JSON.stringify(document_of, null, 2) + "\n");
}

export class Tokens {
	/* router: NULL = of all. */
	constructor(socket, may_change, attempt, router = null) {
		Object.assign(this, {socket, may_change, attempt, router});
		this.paged = new Paged(socket, attempt, router ? router_path(router) + "/tokens" : "/v1/tokens",
				       answer => this.draw(answer.tokens));
		this.element = make("section", {"aria-labelledby": "tokens"}, make("h2", {id: "tokens"}, "Tokens"),
				    may_change && router && this.form(), this.paged.element);
	}

	load() {
		return this.paged.load();
	}

	form() {
		const duration = select(DURATIONS);

		duration.value = "1d";
		return make("form", {"aria-label": "Make a token", onsubmit: event => {
			event.preventDefault();
			this.attempt(async () => {
				await make_token(this.socket, this.router, duration.value);
				await this.load();
			});
		}}, field("Lets the router in for", duration), make("button", {class: "main"}, "Make a token"));
	}

	draw(tokens) {
		const columns = [...(this.router ? [] : ["Router"]), "Issued", "Ends", "State", "Number", ...(this.may_change ? ["Orders"] : [])];

		if (tokens.length === 0)
			return make("p", {class: "dim"}, "None.");
		return table("Tokens that were issued", columns, tokens.map(token => [
			...(this.router ? [] : [token.router]), format.date(token.iat), format.date(token.exp),
			make("span", {class: CLASSES[token.state]}, token.state),
			make("code", {}, token.jti),
			...(this.may_change ? [token.state === "valid" ? make(
				"button", {class: "danger", "data-key": "revoke " + token.jti,
					   onclick: () => this.revoke(token)}, "Revoke…") : ""] : [])]));
	}

	async revoke(token) {
		if (await confirm("Revoke this token of " + token.router + "?",
				  "A router that has not onboarded by it yet needs another.", "Revoke the token"))
			await this.attempt(async () => {
				await this.socket.ask("DELETE", "/v1/tokens/" + token.jti);
				await this.load();
			});
	}
}
