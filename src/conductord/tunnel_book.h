/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tunnel_book.h - the tunnels that stand on this conductor, by their keys: what each has agreed on.
 *
 * The loop writes it; workers may look something up at any time. A key has one tunnel; a newer one
 * takes the older one's place. Nothing of it takes longer with many tunnels.
 *
 * Calling sequence: tunnel_book_init -> tunnel_book_add, _remove, _find ... -> tunnel_book_release.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "conductor/tunnels/authorized_keys.h"
#include "onboarding/ssh_kex.h"

#define TUNNEL_BOOK_BUCKETS 4096 /* a power of two */

struct tunnel_book_line;

struct tunnel_book {
	uv_mutex_t lock;
	struct tunnel_book_line *by_key[TUNNEL_BOOK_BUCKETS];
	struct tunnel_book_line *by_id[TUNNEL_BOOK_BUCKETS];
	size_t n;
};

void tunnel_book_init(struct tunnel_book *book);
void tunnel_book_release(struct tunnel_book *book);

/* A router that comes back takes the place of a tunnel of its own that is dead. Two machines with
 * one key take it from each other, again and again: so often, in so long. */
#define TUNNEL_BOOK_TAKEN   5
#define TUNNEL_BOOK_TAKEN_S 120

/* A session has authenticated, at a time of CLOCK_MONOTONIC. Without memory it is left out, and
 * shown as no tunnel. Returns whether two machines seem to have this key: once, until a tunnel of
 * it ends without another in its place. */
bool tunnel_book_add(struct tunnel_book *book, uint32_t id, const char *fingerprint,
		     enum ssh_kex kex, int64_t now_s);
/* A session has ended, whether it is in the book or not. */
void tunnel_book_remove(struct tunnel_book *book, uint32_t id);
void tunnel_book_clear(struct tunnel_book *book);

struct tunnel_book_key {
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
};

/* Those that stand now; *ret_keys is freed by the caller. Returns how many; without memory none. */
size_t tunnel_book_list(struct tunnel_book *book, struct tunnel_book_key **ret_keys);
/* On the loop, which alone writes it. */
size_t tunnel_book_count(const struct tunnel_book *book);

/* The name of the key exchange of this key's tunnel, "unknown" if sshd has not told; NULL = it has
 * none here. */
const char *tunnel_book_find(struct tunnel_book *book, const char *fingerprint);
