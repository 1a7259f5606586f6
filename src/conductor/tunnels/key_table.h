/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_table.h - the keys that may log in, in memory: found by port, by fingerprint or by router
 * without a look at the others. Each has a place, which is the number of its line in the file that
 * sshd's command looks through; a key that goes leaves its place to the next one. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conductor/tunnels/authorized_keys.h"
#include "onboarding/token.h"

#define KEY_TABLE_NONE UINT32_MAX

struct key_entry {
	struct authorized_key key; /* port 0 = the place is free */
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	char router[TOKEN_NAME_SIZE];
	uint32_t next_print; /* of the same bucket; of a free place: the next free one */
	uint32_t next_router;
};

struct key_table;

struct key_table *key_table_new(void); /* NULL = out of memory */
void key_table_free(struct key_table *t);

/* Places in use or free: 0 to n - 1. A table that is NULL has none, and finds no fingerprint. */
size_t key_table_n_places(const struct key_table *t);
const struct key_entry *key_table_at(const struct key_table *t, uint32_t place);

uint32_t key_table_of_port(const struct key_table *t, uint16_t port);
uint32_t key_table_of_fingerprint(const struct key_table *t, const char *fingerprint);
/* The next place of the router after this one; KEY_TABLE_NONE: the first. */
uint32_t key_table_of_router(const struct key_table *t, const char *router, uint32_t after);

/* The place that key_table_add() would use. */
uint32_t key_table_next_place(const struct key_table *t);
/* Nobody may have the port yet. Returns the place, or KEY_TABLE_NONE: out of memory. */
uint32_t key_table_add(struct key_table *t, const struct authorized_key *key, const char *router);
void key_table_remove(struct key_table *t, uint32_t place);
