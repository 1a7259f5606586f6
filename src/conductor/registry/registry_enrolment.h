/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_enrolment.h - the end of a handshake: a node is enrolled, and pinned by its key.
 *
 * The commit checks again what may have changed since message 1 and writes the enrolment with its
 * row in the audit, in one transaction; a refusal likewise. A node that comes again with the same
 * keys is enrolled again. A node with another pin is another device, and refused until
 * registry_node_reset(). A node with its pin and a new SSH key has lost the old one: the new key
 * replaces it (not if the SSH key is the pin).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_pin.h"
#include "onboarding/key_exchange.h"
#include "onboarding/mode.h"
#include "onboarding/ssh_key.h"
#include "onboarding/token.h"

#define REGISTRY_N_PCRS 8 /* sha256 bank, 0 to 7 */

/* What the handshake has verified, and by what. */
struct registry_proof {
	const char *router;
	const char *asset_id;
	const char *jti;
	enum onboarding_mode mode;
	struct span secret; /* the pre-shared secret, as the registry had it at message 1 */
	struct registry_pin pin;
	/* DER of an endorsement key that came with its maker's certificate; none otherwise. */
	struct span certified_ek;
	struct span ssh_key;      /* the 51-byte blob */
	struct span pcrs;         /* REGISTRY_N_PCRS digests one after another, or none */
	const char *key_exchange; /* key_exchange_name() */
};

enum registry_verdict {
	REGISTRY_VERDICT_NEW,     /* enrolled for the first time, or after a reset */
	REGISTRY_VERDICT_SAME,    /* once more with the same keys */
	REGISTRY_VERDICT_RENEWED, /* the same device with another SSH key */
	/* Refused: */
	REGISTRY_VERDICT_CLOCK,
	REGISTRY_VERDICT_ASSET_ID,
	REGISTRY_VERDICT_MODE,
	REGISTRY_VERDICT_SECRET,
	REGISTRY_VERDICT_IDENTITY, /* another pin is asked for now, or another endorsement key */
	REGISTRY_VERDICT_TOKEN_UNKNOWN,
	REGISTRY_VERDICT_TOKEN_REVOKED,
	REGISTRY_VERDICT_TOKEN_EXPIRED,
	REGISTRY_VERDICT_OTHER_DEVICE, /* an operator must look */
	REGISTRY_VERDICT_SSH_KEY,      /* another node's */
	REGISTRY_VERDICT_PIN,          /* what it is to be pinned by is another node's */
};

/* For metrics and logs: "new", "mode-changed", "other-device" … */
const char *registry_verdict_name(enum registry_verdict verdict);
bool registry_verdict_is_refusal(enum registry_verdict verdict);

struct registry_decision {
	enum registry_verdict verdict;
	char node[TOKEN_NAME_SIZE];        /* "" = the asset-id is no node's of this router */
	uint16_t listen_port;              /* of its tunnel; 0 when refused */
	char reason[REGISTRY_REASON_SIZE]; /* for the journal; the audit has it already */
};

/* 0: decided, and on disk. Negative: nothing was decided, and the router may try again later. */
int registry_enrol(struct registry *r, const struct registry_proof *proof,
		   const struct registry_origin *origin, struct registry_decision *ret,
		   struct err *err);

/* One of several that are enrolled together. */
struct registry_enrolment_request {
	const struct registry_proof *proof;
	const struct registry_origin *origin;
	struct registry_decision decision; /* out */
	struct err
		err; /* out: its code is what registry_enrol() would have returned; 0 = decided */
};

/* The same for several routers in one transaction, which is written to disk once for all of them.
 * Each is judged in its turn, as if those before it were enrolled already. One that is refused,
 * or fails, does not affect the others. If the database fails, all fail, and none is enrolled. */
void registry_enrol_all(struct registry *r, struct registry_enrolment_request *requests, size_t n);

struct registry_enrolment {
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	struct registry_pin pin;
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
	uint8_t pcrs[REGISTRY_N_PCRS][REGISTRY_DIGEST_SIZE];
	bool has_pcrs;
	char jti[TOKEN_JTI_SIZE];
	int64_t enrolled_s;
	char address[REGISTRY_ADDRESS_SIZE];
	char key_exchange[KEY_EXCHANGE_SIZE]; /* "classical": before it was noted */
	uint16_t listen_port;
};

/* The SSH key of each enrolment, in no order. Freed with free(). */
struct registry_enrolled_key {
	char router[TOKEN_NAME_SIZE];
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
};
int registry_enrolled_keys_list(struct registry *r, struct registry_enrolled_key **ret,
				size_t *ret_n, struct err *err);

/* The next enrolments by router and node, at most limit of them, after that node of that router:
 * "" = from the first. router: NULL = of all. Freed with free(). */
int registry_enrolments_page(struct registry *r, const char *router, const char *after_router,
			     const char *after_node, size_t limit, struct registry_enrolment **ret,
			     size_t *ret_n, struct err *err);

/* The enrolment of one node, by the port of its tunnel or by its name; looked up by an index.
 * -ENOENT: nobody is enrolled there. */
int registry_enrolment_at(struct registry *r, uint16_t listen_port, struct registry_enrolment *ret,
			  struct err *err);
int registry_enrolment_of(struct registry *r, const char *router, const char *node,
			  struct registry_enrolment *ret, struct err *err);

/* An SSH key that may log in, and the port that it may forward. */
struct registry_authorized_key {
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
	uint16_t listen_port;
};
