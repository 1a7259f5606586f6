/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A list of the registry, page by page: the conductor says where the next begins. */

import {make, show} from "./dom.js";

const LIMIT = 50;

export class Paged {
	/* path: with its query, if it has one. draw(answer): what shows it. */
	constructor(socket, attempt, path, draw) {
		Object.assign(this, {socket, attempt, draw});
		this.pages = [path + (path.includes("?") ? "&" : "?") + "limit=" + LIMIT];
		this.list = make("div", {});
		this.pager = make("div", {class: "pager"});
		this.element = make("div", {}, this.list, this.pager);
	}

	async load() {
		const path = this.pages.at(-1);
		const {answer, next} = await this.socket.page(path);

		if (path !== this.pages.at(-1))
			return;
		show(this.list, answer, () => this.draw(answer));
		show(this.pager, [path, next], () => [
			this.pages.length > 1 && this.button("Previous", () => this.pages.pop()),
			next && this.button("Next", () => this.pages.push(next))]);
	}

	button(label, move) {
		return make("button", {"data-key": label, onclick: () => {
			move();
			this.attempt(() => this.load());
		}}, label);
	}
}
