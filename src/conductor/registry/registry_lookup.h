/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_lookup.h - all that a conductor must know of a router that says hello, in one read.
 *
 * It only reads: an attempt causes no write to the disk, whoever makes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_pin.h"
#include "conductor/registry/registry_tokens.h"

struct registry_conductor;

#define REGISTRY_CHANGED_SIZE 128

struct registry_candidate {
	struct registry_claims claims; /* of the router whose node has the asset-id */
	char node[TOKEN_NAME_SIZE];
	uint8_t endorsement_key[REGISTRY_KEY_MAX]; /* DER SubjectPublicKeyInfo */
	size_t endorsement_key_size;               /* 0 = none is configured */
	uint16_t listen_port;
	/* The token named: */
	bool token_is_known; /* and of this router */
	bool token_is_revoked;
	int64_t token_expires_s;
	/* Why the token's signature cannot fit any more: what has changed since it was issued. ""
	 * = as far as is known here, nothing. */
	char changed[REGISTRY_CHANGED_SIZE];
	struct registry_pin pin; /* REGISTRY_PIN_NONE = the node is not enrolled */
};

/* What the hello message says. */
struct registry_question {
	const char *router;
	const char *asset_id;
	const char *jti;
	struct span certificate; /* DER, this conductor's */
};

/* Wipes the secret. */
void registry_candidate_release(struct registry_candidate *candidate);

/* -ENOENT: no node has this asset-id; or its router is not the one that was named: then
 * ret->claims.router says which it is, and the rest is empty. -ETIME: this conductor's clock was
 * set back, and nobody is let in. The caller releases *ret, also after a failure. */
int registry_lookup(struct registry *r, const struct registry_question *question, int64_t now_s,
		    struct registry_candidate *ret, struct err *err);

/* The same, and in the same transaction the conductors of which the router will be told, ordered by
 * name: *ret_conductors is freed with free(), also after a failure; NULL where the lookup failed.
 */
int registry_lookup_all(struct registry *r, const struct registry_question *question, int64_t now_s,
			struct registry_candidate *ret, struct registry_conductor **ret_conductors,
			size_t *ret_n_conductors, struct err *err);

/* For the registry's other parts, within their transaction; without a look at the clock. */
struct registry_session;
int registry_candidate_read(struct registry_session *session,
			    const struct registry_question *question,
			    struct registry_candidate *ret, struct err *err);
