/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_book.h - the tunnels that stand on this conductor, by their keys: what each has agreed on.
 *
 * It belongs to the loop. A key has one tunnel; a newer one takes the older one's place.
 */
#pragma once

#include <stdint.h>

#include "conductor/tunnels/authorized_keys.h"
#include "onboarding/ssh_kex.h"

struct tunnel_book_line;

struct tunnel_book {
	struct tunnel_book_line *first;
};

/* A session has authenticated. Without memory it is left out, and shown as no tunnel. */
void tunnel_book_add(struct tunnel_book *book, uint32_t id, const char *fingerprint,
		     enum ssh_kex kex);
/* A session has ended, whether it is in the book or not. */
void tunnel_book_remove(struct tunnel_book *book, uint32_t id);
void tunnel_book_clear(struct tunnel_book *book);

/* The name of the key exchange of this key's tunnel, "unknown" if sshd has not told; NULL = it has
 * none here. */
const char *tunnel_book_find(const struct tunnel_book *book, const char *fingerprint);
