/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sealing_file.h - the file in which a node or a conductor keeps its own sealing keys.
 *
 * How it is read and written is its owner's affair: a node has it among its kept files, a conductor
 * among its state.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/span.h"
#include "onboarding/sealing_keys.h"

struct sealing_file {
	const char *at;     /* path or directory, for read and write */
	const char *name;   /* of the file in the directory: "/sealing-keys"; "" = at is its path */
	const char *remedy; /* what to do when it is damaged, after "put it back from a copy; or" */
	/* At most SEALING_LIST_MAX bytes, freed with free(). -ENOENT: there are no keys yet. */
	int (*read)(const char *at, char **ret, size_t *ret_size, struct err *err);
	int (*write)(const char *at, struct span list, struct err *err);
};

/* Reads the keys, or makes them and writes them. Kinds that this system has and the file has not
 * are added: values that were sealed to the others still open. Released by the caller. Errors:
 * -EBADMSG: the file is damaged; else those of read and write. */
int sealing_file_provide(const struct sealing_file *file, struct sealing_keys *ret,
			 struct err *err);
