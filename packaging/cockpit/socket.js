/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The daemon's control socket, by Cockpit's channel, as the user who has logged in: the socket
 * itself decides what that user may do. */

/* global cockpit */

export const ROUTER = "/run/steward/control.sock";
export const CONDUCTOR = "/run/steward/conductor.sock";

/* What the daemon says is wrong: the detail of its problem document. */
export class Refusal extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

function refusal_of(error, content) {
	try {
		const detail = JSON.parse(content).detail;

		if (typeof detail === "string")
			return new Refusal(error.status, detail);
	} catch { /* it is no problem document */ }
	return new Refusal(error.status ?? 0, "The daemon does not answer: " + (error.message || error.problem || "no reason"));
}

export class Socket {
	constructor(path) {
		this.path = path;
		this.http = cockpit.http(path);
	}

	/* JSON, or null where there is no body. */
	ask(method, path, body = "") {
		const text = typeof body === "string" ? body : JSON.stringify(body);

		return new Promise((resolve, reject) => {
			this.http.request({method, path, body: text})
				.then(content => resolve(content ? JSON.parse(content) : null))
				.catch((error, content) => reject(refusal_of(error, content)));
		});
	}

	/* A page of a list, and the path of the next: {answer, next}. */
	page(path) {
		let next = null;

		return new Promise((resolve, reject) => {
			this.http.request({method: "GET", path, body: ""})
				.response((status, headers) => {
					const link = Object.entries(headers).find(([name]) => name.toLowerCase() === "link");

					next = /^<([^>]+)>; rel="next"/.exec(link?.[1] ?? "")?.[1] ?? null;
				})
				.then(content => resolve({answer: JSON.parse(content), next}))
				.catch((error, content) => reject(refusal_of(error, content)));
		});
	}

	get(path) {
		return this.ask("GET", path);
	}

	/* A file's bytes, as they are read: it may have gigabytes. */
	upload(path, file, progressed) {
		const request = this.http.request({method: "PUT", path, binary: true});

		return new Promise((resolve, reject) => {
			request.then(resolve).catch((error, content) => reject(refusal_of(
				error, content ? new TextDecoder().decode(content) : "")));
			send_all(request, file, progressed).catch(reject);
		});
	}

	/* Server-sent events: take(name, data) for each, until the stream ends; then ended(). Returns
	 * a function that ends it. */
	events(path, take, ended, method = "GET") {
		const request = this.http.request({method, path, body: ""});
		let left = "";

		request.stream(more => {
			const parts = (left + more).split("\n\n");

			left = parts.pop();
			for (const part of parts) {
				const name = /^event: (.*)$/m.exec(part);
				const data = /^data: (.*)$/m.exec(part);

				if (name && data)
					take(name[1], JSON.parse(data[1]));
			}
		});
		request.then(() => ended(null)).catch((error, content) => ended(refusal_of(error, content)));
		return () => request.close("cancelled");
	}
}

const CHUNK = 256 * 1024;

async function send_all(request, file, progressed) {
	for (let at = 0; at < file.size; at += CHUNK) {
		const part = await file.slice(at, at + CHUNK).arrayBuffer();

		request.input(new Uint8Array(part), true);
		progressed(Math.min(at + CHUNK, file.size), file.size);
	}
	request.input(new Uint8Array(0), false);
}
