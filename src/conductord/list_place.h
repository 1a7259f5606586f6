/* SPDX-License-Identifier: GPL-3.0-or-later */
/* list_place.h - reads a place in a list as a link to a page has it: numbers and words with "/"
 * between them. Pure.
 *
 *	const char *at = "1800000000/conductor1/17";
 *
 *	list_place_number(&at, &time_s) && list_place_word(&at, name, sizeof(name)) &&
 *		list_place_number(&at, &sequence) && list_place_ends(at)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of 1 to 18 digits. false: there is none. */
bool list_place_number(const char **at, int64_t *ret);
/* false: it is empty, or does not fit. */
bool list_place_word(const char **at, char *ret, size_t size);
/* Was the last one that was read the last of all? */
bool list_place_ends(const char *at);
