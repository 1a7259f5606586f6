/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The page: which daemon is there, what this user may do, and the parts that show it. */

/* global cockpit */

import {Audit} from "./audit.js";
import {Summary} from "./conductor.js";
import {make, show} from "./dom.js";
import {Downloads} from "./downloads.js";
import {Fleet} from "./fleet.js";
import * as format from "./format.js";
import {Images} from "./images.js";
import {integrity_event} from "./journal.js";
import {Managed} from "./managed.js";
import {Rollout} from "./rollout.js";
import {Rollouts} from "./rollouts.js";
import {Integrity, Onboarding} from "./router.js";
import {CONDUCTOR, ROUTER, Socket} from "./socket.js";
import {Tokens} from "./tokens.js";

const RETURN_MS = 2000; /* between two looks for a daemon that is gone */
const LOOK_MS = 10000;  /* at what no event tells */
const ALIVE_MS = 2000;  /* between two looks whether the daemon is still the same: Cockpit does not tell of the end of a
			  stream whose daemon was killed, and its successor may be there at once */

function follow_theme() {
	const dark = matchMedia("(prefers-color-scheme: dark)");
	const apply = () => {
		const style = localStorage.getItem("shell:style") ?? "auto";
		const is_dark = style === "dark" || (style === "auto" && dark.matches);

		document.documentElement.dataset.theme = is_dark ? "dark" : "light";
	};

	dark.addEventListener("change", apply);
	addEventListener("storage", apply);
	addEventListener("cockpit-style", apply);
	apply();
}

function say(text) {
	document.getElementById("notice").replaceChildren(...(text ? [make("span", {}, text)] : []));
}

/* Does what was asked for, and says what the daemon has against it. */
async function attempt(what) {
	try {
		say("");
		await what();
	} catch (error) {
		say(error.message);
	}
}

/* The socket decides in the end; what it would refuse is not offered. */
async function may_change(configuration) {
	const user = await cockpit.user();
	const control = Object.values(configuration)[0]?.control ?? {};

	return user.id === 0 || (user.groups ?? []).includes(control.group ?? "steward-admin");
}

/* What every node has, and by the events of its downloads what is to be looked at again. */
function node_parts(socket, change) {
	return [new Downloads(socket, change, attempt), new Images(socket, change, attempt), new Integrity(socket)];
}

const go = (...path) => cockpit.location.go(path);

/* The parts of a place in the page: a conductor has one for all routers, and one for each of them; and the same of
 * rollouts. */
function parts_of(socket, change, path) {
	if (socket.path === ROUTER)
		return [...node_parts(socket, change), new Onboarding(socket, change, attempt)];
	if (path[0] === "router" && path[1])
		return [new Managed(socket, change, attempt, path[1], () => go())];
	if (path[0] === "rollouts" && path[1])
		return [new Rollout(socket, change, attempt, path[1], () => go("rollouts"), name => go("router", name))];
	if (path[0] === "rollouts")
		return [new Rollouts(socket, change, attempt, name => go("rollouts", name))];
	return [new Fleet(socket, change, attempt, name => go("router", name)),
		new Summary(socket), new Tokens(socket, change, attempt), new Audit(socket, attempt),
		...node_parts(socket, change)];
}

/* Of a conductor's page. */
function tabs(socket, [place]) {
	const tab = (text, here, hash) => make("a", {href: hash, "aria-current": here && "page"}, text);

	return socket.path === CONDUCTOR && place !== "router" && make(
		"nav", {class: "tabs", "aria-label": "Parts of the page"}, tab("Routers", place !== "rollouts", "#/"),
		tab("Rollouts", place === "rollouts", "#/rollouts"));
}

/* Shows one place, and resolves when another is wanted or the daemon is gone: with why. */
async function show_place(socket, others) {
	const change = await may_change(await socket.get("/v1/configuration"));
	const place = cockpit.location.path;
	const parts = parts_of(socket, change, place);
	const downloads = parts.find(part => part instanceof Downloads);
	let began = Infinity; /* when this daemon did at the latest, in our seconds */
	const greet = async () => {
		const asked = performance.now() / 1000;
		const status = await socket.get("/v1/status");

		/* Its seconds are whole ones, and its answer may have taken long. */
		if (asked - status.uptime - 1 > began)
			throw new Error("The daemon was started anew.");
		began = Math.min(began, performance.now() / 1000 - status.uptime);
		show_header(socket, status, others);
	};
	const look = async () => {
		const loads = await Promise.allSettled(parts.map(part => part.load()));
		const failed = loads.find(load => load.status === "rejected");

		if (failed) /* the others are shown all the same */
			say(failed.reason.message);
	};

	await greet();
	document.getElementById("main").replaceChildren(tabs(socket, place) || "",
							...parts.map(part => part.element));
	await look(); /* each is shown when it is there: none waits for what is slow */
	if (cockpit.location.path.join("/") !== place.join("/")) /* meanwhile */
		return "moved";
	return until_over(socket, downloads, parts, look, greet);
}

async function until_over(socket, downloads, parts, look, greet) {
	const looking = setInterval(look, LOOK_MS);
	let living, stop, moved;

	try {
		return await new Promise(over => {
			moved = () => over("moved");
			cockpit.addEventListener("locationchanged", moved);
			addEventListener("steward-other-daemon", moved);
			living = setInterval(() => greet().catch(() => over("gone")), ALIVE_MS);
			stop = socket.events("/v1/events", (name, told) => {
				if (name === "rollout")
					parts.forEach(part => part.take_rollout?.(told));
				else
					downloads?.show(told);
				if (name === "state" && told.state === "complete")
					attempt(() => parts.find(part => part instanceof Images)?.load());
			}, () => over("gone"));
		});
	} finally {
		clearInterval(looking);
		clearInterval(living);
		cockpit.removeEventListener("locationchanged", moved);
		removeEventListener("steward-other-daemon", moved);
		stop();
	}
}

/* Which daemons answer here: a machine may be conductor and router at once. */
async function find_daemons() {
	const sockets = [ROUTER, CONDUCTOR].map(path => new Socket(path));
	const answers = await Promise.allSettled(sockets.map(socket => socket.get("/v1/status")));
	const found = sockets.filter((_, i) => answers[i].status === "fulfilled");
	const refused = answers.find(answer => answer.reason?.status >= 400);

	if (found.length === 0 && refused)
		throw refused.reason;
	return found;
}

async function tell_nobody_answers() {
	const event = await integrity_event();

	document.getElementById("header").replaceChildren(make("h1", {}, "Steward"));
	document.getElementById("main").replaceChildren(
		event && make("section", {role: "alert"}, make("h2", {}, "Configuration Integrity"),
			      make("div", {class: "bad event"}, event.split("\n").map(line => make("p", {}, line)))) || "",
		make("p", {class: "bad"}, `Neither stewardd answers at ${ROUTER}, nor conductord at ${CONDUCTOR}. ` +
		     "See: systemctl status stewardd conductord"),
		make("p", {}, "Asking again…"));
}

let chosen = null; /* the socket's path, where several daemons answer */

function show_header(socket, status, others) {
	const node = status.node ? " " + status.node : "";
	const role = socket.path === ROUTER ? "Router" : "Conductor";
	const tab = (path, text) => make("button", {"data-key": path, "aria-current": path === socket.path && "page", onclick: () => {
		chosen = path;
		dispatchEvent(new Event("steward-other-daemon"));
	}}, text);

	show(document.getElementById("header"), [socket.path, status.name, node, status.version, others,
						 format.duration(status.uptime)], () => [
		make("h1", {}, (status.name || "Steward") + node), make("span", {class: "dim"}, role + ", Steward " + status.version),
		make("span", {class: "dim"}, "up " + format.duration(status.uptime)),
		make("span", {class: "dim"}, "access mode " + status["software-update"]["access-mode"]),
		others && make("nav", {"aria-label": "Which daemon", class: "buttons"}, tab(ROUTER, "Router"),
			       tab(CONDUCTOR, "Conductor"))]);
}

async function run_once() {
	const daemons = await find_daemons();
	const socket = daemons.find(daemon => daemon.path === chosen) ?? daemons[0];

	if (!socket) {
		await tell_nobody_answers();
		return "nobody";
	}
	return show_place(socket, daemons.length > 1);
}

async function run() {
	follow_theme();
	for (;;) {
		let over;

		try {
			over = await run_once();
			say("");
		} catch (error) {
			over = "failed";
			document.getElementById("main").replaceChildren(
				make("p", {class: "bad"}, error.message), make("p", {}, "Asking again…"),
				cockpit.location.path.length > 0 && make(
					"button", {onclick: () => cockpit.location.go([])}, "All routers") || "");
		}
		if (over !== "moved")
			await new Promise(later => setTimeout(later, RETURN_MS));
	}
}

run();
