/* config_edit.h - values of a router's configuration, set and deleted by the model's names.
 *
 *	software-update source mirror kind artifactory url http://192.0.2.7/
 *
 * A container's name leads into it; a list's, and values for its keys, to one of its entries, which
 * is made if need be; a leaf's name and its value set it, and more of the same container may
 * follow. A leaf-list has one value more. Names may be abbreviated as long as only one fits.
 *
 * To delete, the same without the leaf's value (a leaf-list's stays); a container or an entry goes
 * with all that is in it.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

enum config_change { CONFIG_SET, CONFIG_DELETE };

/* Of the members of "steward:router" in JSON to the same with the change, freed by the caller.
 * -EINVAL: no such name, a value that its type does not allow, or nothing is set; -ENOENT: what is
 * to be deleted is not there. The whole is for config_check_router(). */
int config_edit_router(enum config_change change, const char *json, size_t n_words,
		       const char *const *words, char **ret, struct err *err);

/* Print the names that may come next, one a line; the last word is what has been typed of it. None
 * where a value is next, or where a word before is not understood. */
void config_edit_complete(size_t n_words, const char *const *words, FILE *out);
