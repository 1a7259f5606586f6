/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Numbers as people read them: the same words as stewardctl's. */

export function bytes(n) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
	let unit = 0;

	while (n >= 1024 && unit + 1 < units.length) {
		n /= 1024;
		unit++;
	}
	return n.toFixed(unit === 0 ? 0 : n < 10 ? 2 : 1) + "\u00a0" + units[unit];
}

export function duration(s) {
	const two = n => String(Math.floor(n)).padStart(2, "0");

	if (s >= 86400)
		return Math.floor(s / 86400) + "d " + two(s / 3600 % 24) + "h";
	if (s >= 3600)
		return Math.floor(s / 3600) + "h " + two(s / 60 % 60) + "m";
	if (s >= 60)
		return Math.floor(s / 60) + "m " + two(s % 60) + "s";
	return Math.floor(s) + "s";
}

export function date(unix_s) {
	return unix_s ? new Date(unix_s * 1000).toISOString().slice(0, 19).replace("T", " ") + " UTC" : null;
}

export function percent(download) {
	const total = download["bytes-total"];

	return total > 0 ? Math.floor(download["bytes-verified"] * 100 / total) : 0;
}
