/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kept_contents.h - the text of contents.mac (kept_file.h), and which files it allows. Pure. */
#pragma once

#include <stdbool.h>

#include "base/kept_key.h"
#include "base/span.h"

#define KEPT_CONTENTS_SIZE_MAX 8192
#define KEPT_LINES_MAX         32
#define KEPT_NAME_SIZE         64
#define KEPT_DIGEST_SIZE       32

/* What a file is. */
struct kept_state {
	bool is_there;
	uint8_t digest[KEPT_DIGEST_SIZE]; /* of its bytes */
};

struct kept_line {
	char name[KEPT_NAME_SIZE];
	struct kept_state state;
};

/* Zeroed: nothing is there. */
struct kept_contents {
	struct kept_line lines[KEPT_LINES_MAX];
	size_t n;
};

bool kept_contents_allow(const struct kept_contents *c, const char *name,
			 const struct kept_state *found);

/* Sets what the file of that name may be: `is`, or `or` (NULL = only `is`). -ENOSPC: too many
 * names, or too long a name; then c is unchanged. */
int kept_contents_set(struct kept_contents *c, const char *name, const struct kept_state *is,
		      const struct kept_state * or);

/* directory: canonical, part of what is authenticated. -EBADMSG: not written with this key for this
 * directory, or damaged. */
int kept_contents_parse(struct kept_contents *ret, struct span text, const char *directory,
			const uint8_t key[KEPT_KEY_SIZE]);
/* Zero-terminated. -ENOMEM. */
int kept_contents_print(const struct kept_contents *c, const char *directory,
			const uint8_t key[KEPT_KEY_SIZE], char ret[KEPT_CONTENTS_SIZE_MAX]);
