/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes elements. Text is always text: nothing in this page ever becomes markup, whoever wrote it.
 * What a terminal or a reader could be fooled with is shown as \xNN, as stewardctl does. */

const SVG = "http://www.w3.org/2000/svg";
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;

export function harmless(text) {
	return String(text).replace(HIDDEN, c => "\\u{" + c.codePointAt(0).toString(16) + "}");
}

function fill(element, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (name.startsWith("on"))
			element.addEventListener(name.slice(2), value);
		else if (value === true)
			element.setAttribute(name, "");
		else if (value !== false && value !== null && value !== undefined)
			element.setAttribute(name, value);
	}
	for (const child of children.flat(Infinity))
		if (child !== null && child !== undefined && child !== false)
			element.append(child instanceof Node ? child : harmless(child));
	return element;
}

export function make(name, attributes = {}, ...children) {
	return fill(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
	return fill(document.createElementNS(SVG, name), attributes, children);
}

/* A table that a phone shows as cards: each cell knows the name of its column. A column is its name,
 * or {name, head, sorted}: what stands in its head, and aria-sort. */
export function table(caption, columns, rows) {
	const name_of = column => column.name ?? column;
	const head = make("tr", {}, columns.map(column => make(
		"th", {scope: "col", "aria-sort": column.sorted}, column.head ?? name_of(column))));
	const body = rows.map(row => make("tr", {}, row.map(
		(cell, i) => make("td", {"data-column": name_of(columns[i])}, cell ?? "–"))));

	return make("table", {}, make("caption", {}, caption), make("thead", {}, head),
		    make("tbody", {}, body));
}

/* Shows data by what build() makes of it. What has not changed stays as it is; where it has, whoever
 * is in a field or at a button is there again: data-key says which. */
export function show(element, data, build) {
	const text = JSON.stringify(data);
	const active = element.contains(document.activeElement) ? document.activeElement : null;

	if (element.shown === text)
		return;
	element.shown = text;
	element.replaceChildren(...[build()].flat(Infinity).filter(Boolean));
	if (active?.dataset.key)
		element.querySelector(`[data-key="${CSS.escape(active.dataset.key)}"]`)?.focus();
}

export function facts(rows) {
	return make("dl", {}, rows.filter(([, value]) => value !== null && value !== undefined && value !== "")
		.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

export function field(label, input) {
	return make("label", {}, label, input);
}

export function select(choices, attributes = {}) {
	return make("select", attributes, choices.map(choice => {
		const [value, text] = Array.isArray(choice) ? choice : [choice, choice];

		return make("option", {value}, text);
	}));
}

/* Asks before something is done. fields: further elements. Resolves to whether it is to be done. */
export function confirm(title, text, label, ...fields) {
	return new Promise(resolve => {
		const dialog = make("dialog", {"aria-labelledby": "dialog-title"},
			make("h2", {id: "dialog-title"}, title), make("p", {}, text), fields,
			make("div", {class: "buttons"},
			     make("button", {class: "danger", onclick: () => dialog.close("yes")}, label),
			     make("button", {onclick: () => dialog.close("")}, "Not now")));

		dialog.addEventListener("close", () => {
			const done = dialog.returnValue === "yes";

			dialog.remove();
			resolve(done);
		});
		document.body.append(dialog);
		dialog.showModal();
	});
}
