/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login_keys.h - which SSH keys may log in: writes them from the registry to the file in which
 * sshd has them looked up, and ends the sessions of keys that may no longer log in.
 *
 * The registry is asked what has changed since the last time (registry_key_news), and the lines of
 * those keys alone are written. The file stays where it is when the registry cannot be asked: who
 * was enrolled still logs in.
 *
 * Another conductor may change a registry that is shared. So a shared registry is asked every
 * second, and so is one that could not be asked. Once a minute all keys of a shared one are read,
 * for somebody may have changed it with his own hands.
 *
 * Calling sequence: login_keys_init -> login_keys_sync, keys_start -> login_keys_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work_pool.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_key_news.h"
#include "conductor/tunnels/authorized_keys.h"
#include "conductor/tunnels/key_table.h"

#define LOGIN_KEYS_LOOK_MS   1000
#define LOGIN_KEYS_ALL_LOOKS 60 /* of so many looks one reads all */

struct login_keys_options {
	uv_loop_t *loop;
	struct work_pool *pool; /* that asks the registry; NULL = libuv's */
	struct registry *registry;
	const char *path; /* of the file; borrowed */
	uint16_t repository_port;
	bool shared; /* look each second */
	/* On the loop: this key may no longer log in. */
	void (*gone)(void *owner, const uint8_t blob[SSH_KEY_ED25519_SIZE]);
	void *owner;
};

struct login_keys {
	struct login_keys_options options;

	uv_mutex_t turn; /* held while somebody updates the file, and waits for the registry */
	bool is_written; /* is the file what the table says? */
	struct registry_key_marks marks;
	uv_mutex_t lock;         /* held for moments; what workers and the loop share: */
	struct key_table *table; /* what is in the file */
	struct authorized_key *removed;
	size_t n_removed;

	uv_async_t wake;
	uv_timer_t timer;
	struct work work;
	unsigned looks;
	bool looking;
	bool look_again; /* asked for while a look was running, which may have read too early */
	bool closing;
	unsigned handles;
	char problem[ERR_TEXT_SIZE]; /* told of last; "" = none */
	struct err err;
	void (*closed)(void *owner);
	void *closed_owner;
};

void login_keys_init(struct login_keys *k, const struct login_keys_options *options);

/* Update the file; when this returns, sshd knows the keys. On a worker. */
int login_keys_sync(struct login_keys *k, struct err *err);
/* Which node has logged in with this key: *ret_port is the port of its tunnel, 0 = no node has
 * the key. The registry is asked only if the key is not in the file. On a worker. Errors: those
 * of login_keys_sync(). */
int login_keys_find(struct login_keys *k, const char *fingerprint, uint16_t *ret_port,
		    struct err *err);
/* login_keys_sync() from the loop: starts it at once, or after the one that is running. */
void login_keys_look(struct login_keys *k);

void login_keys_close(struct login_keys *k, void (*closed)(void *owner), void *owner);
