/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which image the routers fetched last, and how that went. Only they know: whoever is connected is asked,
 * some at a time. What a router says may be anything. */

import {ASKED_AT_ONCE, router_path} from "./orders.js";

const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;
const STATES = {"complete": "complete", "failed": "failed", "cancelled": "none", "paused": "paused"};
const UNKNOWN = {version: "unknown", download: "unknown"};

function newest_of(downloads) {
	const known = Array.isArray(downloads) ? downloads.filter(d => typeof d?.version === "string" && VERSION.test(d.version)) : [];

	return known.sort((a, b) => (b.started ?? 0) - (a.started ?? 0));
}

/* Of one node: what it has, and how the download that was begun last stands. */
function read_node(node) {
	if (node.error !== null || !Array.isArray(node.answer?.downloads))
		return UNKNOWN;
	const downloads = newest_of(node.answer.downloads);

	return {version: downloads.find(d => d.state === "complete")?.version ?? "none",
		download: downloads.length > 0 ? STATES[downloads[0].state] ?? "running" : "none"};
}

/* Nodes that do not agree are worth a colour of their own. */
function agree(nodes, what) {
	const said = new Set(nodes.map(node => node[what]));

	return said.size === 0 ? "unknown" : said.size === 1 ? [...said][0] : "differ";
}

export class Versions {
	constructor(socket) {
		this.socket = socket;
		this.known = new Map();
	}

	of(row) {
		return this.known.get(row.router) ?? UNKNOWN;
	}

	/* Until all have answered, or somebody asks anew: told(done, all) after each. */
	async ask(rows, told) {
		const mine = this.asking = {};
		const waiting = rows.filter(row => row.connected > 0);
		const all = waiting.length;
		let done = 0;
		const work = async () => {
			for (let row; this.asking === mine && (row = waiting.shift());) {
				this.known.set(row.router, await this.ask_one(row.router));
				done++;
				if (this.asking === mine)
					told(done, all);
			}
		};

		this.known.clear();
		told(0, all);
		await Promise.all(Array.from({length: ASKED_AT_ONCE}, work));
	}

	stop() {
		this.asking = null;
	}

	async ask_one(router) {
		try {
			const nodes = (await this.socket.get(router_path(router) + "/downloads")).nodes.map(read_node);

			return {version: agree(nodes, "version"), download: agree(nodes, "download")};
		} catch {
			return UNKNOWN;
		}
	}
}
