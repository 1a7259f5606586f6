/* conductor.h - what makes a node conductord: the registry of routers, onboarding on port 930, and
 * the tunnels.
 *
 * All wiring is here, in sco and in the routes.
 */
#pragma once

#include "core/jws.h"
#include "node/node.h"
#include "onboarding/conductor/registry.h"

/* Its certificate, as tokens name it. */
struct conductor_identity {
	struct jws_key key;   /* private */
	uint8_t *certificate; /* DER; owned */
	size_t certificate_size;
	uint8_t *ca_certificate; /* DER; owned */
	size_t ca_certificate_size;
};

struct conductor {
	struct node node;
	struct registry *registry;
};

extern const struct node_program conductor_program;

struct conductor *conductor_of(struct node *n);

/* Read what the configuration names and check it as a token needs it: readable, RSA, the key's own,
 * signed by the CA, not expired. Each has its own message. May block on the disk. */
int conductor_identity_load(struct conductor_identity *ret, const struct config_conductor *config,
			    struct err *err);
void conductor_identity_release(struct conductor_identity *identity);
