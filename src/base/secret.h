/* SPDX-License-Identifier: GPL-3.0-or-later */
/* secret.h - bytes that nobody else may see: locked, left out of core dumps, wiped.
 *
 * Each secret has pages of its own (mlock2(2), MADV_DONTDUMP, MADV_WIPEONFORK), so that nothing
 * else is wiped or kept with it. Where the lock limit is too low secret_init fails: a secret that
 * may be swapped out is none.
 *
 * Calling sequence: secret_init -> use bytes -> secret_release, or _cleanup_(secret_release).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct secret {
	uint8_t *bytes; /* NULL = none */
	size_t size;
};

/* Zeroed bytes. -ENOMEM. */
int secret_init(struct secret *s, size_t size, struct err *err);
/* Takes NULL bytes. */
void secret_release(struct secret *s);

/* As memcpy(), but a byte at a time: memcpy() leaves a whole key behind in a vector register, and
 * from there it comes onto the stack when the dynamic linker saves the registers at a first call.
 */
void secret_copy(uint8_t *to, const uint8_t *from, size_t size);

/* In time that depends on the sizes alone. None equals nothing. */
bool secret_equal(const struct secret *a, const struct secret *b);

/* From here on this process leaves no core, and only root may look into it
 * (PR_SET_DUMPABLE 0, coredump_filter 0, RLIMIT_CORE 0). Best effort: each is one more hurdle. */
void secret_protect_process(void);
