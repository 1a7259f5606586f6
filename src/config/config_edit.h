/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_edit.h - sets and deletes values of a router's configuration, by the names of the YANG
 * model.
 *
 *	software-update source mirror kind artifactory url http://192.0.2.7/
 *
 * The name of a container leads into it. The name of a list, with values for its keys, leads to
 * one of its entries, which is made if it is not there. The name of a leaf and a value set the
 * leaf; more leaves of the same container may follow. For a leaf-list, the value is added. Names
 * may be abbreviated as long as they are unambiguous.
 *
 * To delete, give the same without the leaf's value (but with a leaf-list's). Deleting a
 * container or an entry deletes all that is in it.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum config_change { CONFIG_SET, CONFIG_DELETE };

/* Makes from the members of "steward:router" in JSON the same with the change; freed by the
 * caller. -EINVAL: no such name, a value that its type does not allow, or nothing to set;
 * -ENOENT: what is to be deleted is not there. Check the whole by config_check_router(). */
int config_edit_router(enum config_change change, const char *json, size_t n_words,
		       const char *const *words, char **ret, struct err *err);

/* Prints the names that may come next, one a line; the last word may be incomplete. Prints none
 * if a value comes next, or if a word before it is not understood. */
void config_edit_complete(size_t n_words, const char *const *words, FILE *out);
