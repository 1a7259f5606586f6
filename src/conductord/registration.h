/* registration.h - the conductor in its own registry: routers are told of it from then on.
 *
 * A registry that does not answer is asked again every two seconds, since no router can be enrolled
 * before the first time; what keeps it from answering is told once,
 * and once more when it is something else.
 *
 * Calling sequence: registration_init -> registration_run ... -> registration_close.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/work.h"
#include "onboarding/ssh_key.h"

struct conductor;

struct registration {
	struct conductor *conductor;
	uint8_t host_key[SSH_KEY_ED25519_SIZE]; /* of sshd at this conductor */
	struct work work;
	bool is_running;
	bool is_stale;               /* another key came meanwhile: once more, with that */
	char problem[ERR_TEXT_SIZE]; /* told of last; "" = none */
	uv_timer_t again;
	/* The worker's while it runs. */
	uint8_t key[SSH_KEY_ED25519_SIZE];
	struct err err;
	void (*closed)(void *owner);
	void *owner;
};

void registration_init(struct registration *r, struct conductor *c);

/* With that key. When it comes late, conductor_look_around() is called. */
void registration_run(struct registration *r, const uint8_t host_key[SSH_KEY_ED25519_SIZE]);

/* A job that runs is waited for by the node. */
void registration_close(struct registration *r, void (*closed)(void *owner), void *owner);
