/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_once.h - reads a file once for several who each want all of it, each on a thread of its own.
 *
 * For programs without a loop. Four blocks of 1 MiB are under way: who is slow is waited for.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

struct reader {
	/* Gets the file's bytes in order. A negative errno ends the reading. */
	int (*take)(void *owner, struct span bytes, struct err *err);
	void *owner;
};

/* Exactly `size` bytes from the file's position. Errors: -EIO if the file is shorter, those of
 * read, of pthread_create, and what a reader says. */
int read_once(int fd, uint64_t size, const struct reader *readers, unsigned n, struct err *err);
