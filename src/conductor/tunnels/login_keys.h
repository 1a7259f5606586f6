/* login_keys.h - which SSH keys may log in: from the registry to the file that sshd reads, and
 * sessions of those that may no more are ended.
 *
 * A registry that several conductors share changes without us: then it is looked at each second,
 * and so is one that could not be asked.
 *
 * Calling sequence: login_keys_init -> login_keys_sync, keys_start -> login_keys_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work_pool.h"
#include "conductor/registry/registry.h"
#include "conductor/tunnels/authorized_keys.h"

#define LOGIN_KEYS_LOOK_MS 1000

struct login_keys_options {
	uv_loop_t *loop;
	struct work_pool *pool; /* that asks the registry; NULL = libuv's */
	struct registry *registry;
	const char *path; /* of the file; borrowed */
	uint16_t repository_port;
	bool shared; /* look each second */
	/* On the loop: this key may log in no more. */
	void (*gone)(void *owner, const uint8_t blob[SSH_KEY_ED25519_SIZE]);
	void *owner;
};

struct login_keys_fingerprint {
	char text[AUTHORIZED_KEY_FINGERPRINT_SIZE];
};

struct login_keys {
	struct login_keys_options options;

	uv_mutex_t turn; /* of who brings the file up to date, and waits for the registry */
	uv_mutex_t lock; /* for moments: what workers and the loop share: */
	struct authorized_key *written;
	struct login_keys_fingerprint *fingerprints; /* of each of them */
	size_t n_written;
	bool was_written;
	struct authorized_key *removed;
	size_t n_removed;

	uv_async_t wake;
	uv_timer_t timer;
	struct work work;
	bool looking;
	bool look_again; /* asked for while one was under way, which may have read too early */
	bool closing;
	unsigned handles;
	char problem[ERR_TEXT_SIZE]; /* told of last; "" = none */
	struct err err;
	void (*closed)(void *owner);
	void *closed_owner;
};

void login_keys_init(struct login_keys *k, const struct login_keys_options *options);

/* Bring the file up to date; once it returns sshd knows. On a worker. */
int login_keys_sync(struct login_keys *k, struct err *err);
/* Who has logged in by this key: the port of the node's tunnel, without the registry where the key
 * is in the file; 0 = nobody's. On a worker. Errors: those of login_keys_sync(). */
int login_keys_find(struct login_keys *k, const char *fingerprint, uint16_t *ret_port,
		    struct err *err);
/* The same as login_keys_sync(), from the loop: at once, as far as one can. */
void login_keys_look(struct login_keys *k);

void login_keys_close(struct login_keys *k, void (*closed)(void *owner), void *owner);
