/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The images of this node: import by upload, verify, delete. */

import {confirm, make, show, table} from "./dom.js";
import * as format from "./format.js";

const path_of = version => "/v1/images/" + encodeURIComponent(version);

export class Images {
	constructor(socket, may_change, attempt) {
		Object.assign(this, {socket, may_change, attempt});
		this.list = make("div", {});
		this.progress = make("p", {role: "status", "aria-live": "polite"});
		this.element = make("section", {"aria-labelledby": "images"},
				    make("h2", {id: "images"}, "Images"), this.list, this.progress,
				    may_change && this.form());
	}

	form() {
		const file = (label, accept) => make("input", {type: "file", class: "file", required: true, accept,
							       "aria-label": label});
		const manifest = file("Manifest", ".jws"), image = file("Image", "");
		const submit = event => {
			event.preventDefault();
			this.attempt(() => this.upload(manifest.files[0], image.files[0]));
		};

		return make("form", {onsubmit: submit, "aria-label": "Import an image"},
			    make("label", {}, "Manifest", manifest), make("label", {}, "Image", image),
			    make("button", {}, "Import"));
	}

	/* The manifest says which version it is; the daemon judges whether it is right. */
	async upload(manifest, image) {
		const text = (await manifest.text()).trim();
		const payload = (text.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
		let version;

		try {
			version = JSON.parse(atob(payload)).version;
		} catch {
			throw new Error(manifest.name + " is no manifest: expected a JWS in compact form");
		}
		try {
			await this.socket.ask("PUT", path_of(version) + "/manifest", text);
			await this.socket.upload(path_of(version) + "/file", image, (done, size) => this.say(
				"Import of " + version + ": " + Math.floor(done * 100 / Math.max(size, 1)) + " %"));
		} catch (error) {
			this.say("");
			throw error;
		}
		this.say(version + " is imported.");
		await this.load();
	}

	say(text) {
		this.progress.replaceChildren(make("span", {}, text));
	}

	verify(version) {
		this.socket.events(path_of(version) + "/verify", (name, data) => {
			if (name === "progress")
				this.say("Verifying " + version + ": " + Math.floor(
					data["bytes-done"] * 100 / Math.max(data["bytes-total"], 1)) + " %");
			else
				this.say(version + (data.error ? " is damaged: " + data.error : " is right."));
		}, error => error && this.attempt(() => Promise.reject(error)), "POST");
	}

	async remove(version) {
		if (await confirm("Delete " + version + "?", "The image is removed from this node.", "Delete the image"))
			await this.attempt(async () => {
				await this.socket.ask("DELETE", path_of(version));
				await this.load();
			});
	}

	buttons_of(version) {
		return make("div", {class: "buttons"},
			    make("button", {"data-key": "verify " + version, onclick: () => this.verify(version)}, "Verify"),
			    make("button", {class: "danger", "data-key": "delete " + version, onclick: () => this.remove(version)}, "Delete…"));
	}

	async load() {
		const {images} = await this.socket.get("/v1/images");
		const columns = ["Version", "Size", "Created", "SHA-256"].concat(this.may_change ? ["Orders"] : []);
		const rows = images.map(image => [image.version, format.bytes(image.size), format.date(image.created),
						  make("code", {}, image.sha256)].concat(this.may_change ? [this.buttons_of(image.version)] : []));

		show(this.list, images, () => images.length > 0 ? table("On this node", columns, rows)
								: make("p", {class: "dim"}, "None."));
	}
}
