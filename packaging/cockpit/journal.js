/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why the encrypted directories did not open at this boot: no daemon runs then that could say it. */

/* global cockpit */

const COMPROMISED = "954d6b62edb54dfe830d957c4e547060"; /* its MESSAGE_ID */

/* The event's own words with its cause and what to do; null where there was none since the boot, or
 * where this user may not read it (group systemd-journal). */
export async function integrity_event() {
	try {
		const line = await cockpit.spawn(["journalctl", "--boot", "--output=json", "--lines=1", "--quiet",
						  "MESSAGE_ID=" + COMPROMISED], {err: "ignore"});
		const message = JSON.parse(line).MESSAGE;

		return typeof message === "string" ? message : null;
	} catch {
		return null;
	}
}
