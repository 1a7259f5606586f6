/* SPDX-License-Identifier: GPL-3.0-or-later */
/* index.h - which versions a repository has: index.json (docs/download.md, "Repository layout"). */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "download/image/manifest.h"

#define INDEX_SIZE_MAX (1u << 20) /* bytes of JSON */

/* Its manifest is <version>/manifest.jws, relative to the repository's URL; any other place is
 * refused. */
struct index_entry {
	char version[MANIFEST_NAME_SIZE];
	/* Was it imported by an operator, there or on the HA peer? A conductor marks the versions
	 * that were not; on any other server all count as imported. */
	bool imported;
	/* It is not there, but a conductor would fetch it for a router that asks. */
	bool available;
};

struct index {
	struct index_entry *entries; /* owned */
	size_t n_entries;
};

/* An entry with a wrong version name, or with its manifest elsewhere, makes the whole index
 * invalid; so does a version that is in it twice. Errors: -EBADMSG, -E2BIG, -ENOMEM. */
int index_parse(struct index *ret, struct span json, struct err *err);
/* Removes the versions that were not imported. */
void index_keep_imported(struct index *index);
/* One that is only available is found, too. NULL = none. */
const struct index_entry *index_find(const struct index *index, const char *version);
void index_release(struct index *index);

/* One entry of "versions". */
void index_add_version(cJSON *versions, const char *version, bool imported);
/* One that is not there, and would be fetched. */
void index_add_available(cJSON *versions, const char *version);

/* Rebuild <directory>/index.json from the folders in it that hold a manifest.jws; atomically.
 * Used by repository and by `create software manifest`. */
int index_write(const char *directory, struct err *err);
