// SPDX-License-Identifier: GPL-3.0-or-later
// Drives the page in Chromium: each line of standard input is a function body that is run with `page`,
// `context` and `said` (what the console complains of), or null for a window that knows nothing of the
// last one; one line of JSON comes back, {"value"} or {"error"}.
import {createRequire} from "node:module";
import {createInterface} from "node:readline";

const require = createRequire(process.argv[2] + "/");
const {chromium} = require("playwright-core");
const browser = await chromium.launch({executablePath: "/usr/bin/chromium", args: ["--no-sandbox"]});
let context, page, said;

async function new_window() {
	await context?.close();
	said = [];
	context = await browser.newContext({viewport: {width: 1200, height: 900}});
	page = await context.newPage();
	page.setDefaultTimeout(40000);
	page.on("console", message => message.type() === "error" && said.push(message.text()));
	page.on("pageerror", error => said.push(String(error)));
}

for await (const line of createInterface({input: process.stdin})) {
	try {
		const text = JSON.parse(line);
		const body = text === null ? new_window
			: new Function("page", "context", "said", `return (async () => {${text}})()`);

		console.log(JSON.stringify({value: await body(page, context, said) ?? null}));
	} catch (error) {
		console.log(JSON.stringify({error: String(error)}));
	}
}
await browser.close();
