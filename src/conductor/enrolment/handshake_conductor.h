/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_conductor.h - the conductor's side of the handshake: decides what to do about each
 * message.
 *
 * Pure: it owns no socket and no registry. A driver tells it what happened and performs the one
 * effect that each step asks for. Then the driver must tell the event beside that effect. Steps
 * verify signatures and compute RSA: they belong on the thread pool.
 *
 *	effect                  what the driver does; then the event
 *	CONDUCTOR_WAIT          nothing: it waits for more bytes
 *	CONDUCTOR_SEND          sends the frame, then waits
 *	CONDUCTOR_LOOK_UP       reads all that the registry knows of h->hello: CONDUCTOR_LOOKED_UP
 *	CONDUCTOR_COMMIT        in one serializable transaction reads it again, checks that what was
 *	                        proved still holds, and writes h->enrolment; then has sshd know the
 *	                        key: CONDUCTOR_COMMITTED, or CONDUCTOR_DENIED
 *	CONDUCTOR_ENROLLED      the end: sends the frame (done), closes
 *	CONDUCTOR_REFUSED       the end: audits err, at alert priority if alert is set; sends the
 *	                        frame ("refused"), closes
 *	CONDUCTOR_RETRY_LATER   the end: audits err; sends the frame ("retry-later"), closes
 *
 * If the driver cannot do what it was asked for, it tells CONDUCTOR_FAILED: nobody is let in
 * while the registry cannot be asked. Before handshake_conductor_is_verified() a failure counts
 * as a stranger's.
 *
 * Calling sequence: handshake_conductor_init -> handshake_conductor_step ... ->
 * handshake_conductor_release.
 */
#pragma once

#include <openssl/evp.h>

#include "base/err.h"
#include "base/span.h"
#include "conductor/enrolment/credential.h"
#include "conductor/enrolment/handshake_conductor_state.h"
#include "conductor/enrolment/handshake_setup.h"
#include "conductor/registry/registry_lookup.h"
#include "onboarding/frame.h"
#include "onboarding/key_exchange.h"
#include "onboarding/message.h"
#include "onboarding/transcript.h"

enum handshake_conductor_event_type {
	CONDUCTOR_RECEIVED,  /* received: all since the last message */
	CONDUCTOR_LOOKED_UP, /* candidate, clock_set_back, conductors, now_s, random */
	CONDUCTOR_COMMITTED,
	CONDUCTOR_DENIED, /* reason, pinned_otherwise: the registry does not take the enrolment */
	CONDUCTOR_FAILED, /* reason: it could not be asked */
};

/* All borrowed for the step. */
struct handshake_conductor_event {
	enum handshake_conductor_event_type type;
	struct span received;
	const struct registry_candidate *candidate; /* of registry_lookup() */
	bool clock_set_back;                        /* it returned -ETIME */
	const struct message_accept *conductors;    /* what the router is told; copied */
	uint64_t now_s;                             /* Unix seconds, this conductor's clock */
	uint8_t nonce[MESSAGE_NONCE_SIZE];          /* random */
	uint8_t secret[CREDENTIAL_SECRET_SIZE];     /* random: S */
	const char *reason;
	bool pinned_otherwise;
};

enum handshake_conductor_effect_type {
	CONDUCTOR_WAIT,
	CONDUCTOR_SEND,
	CONDUCTOR_LOOK_UP,
	CONDUCTOR_COMMIT,
	CONDUCTOR_ENROLLED,
	CONDUCTOR_REFUSED,
	CONDUCTOR_RETRY_LATER,
};

struct handshake_conductor_effect {
	enum handshake_conductor_effect_type type;
	struct frame frame; /* to send; owned. At an end it may be missing, if memory was short */
	struct err err;     /* why, for the audit alone */
	bool alert;         /* another device under a known asset-id */
};

/* What is written into the registry. */
struct handshake_enrolment {
	struct registry_pin pin;
	struct message_bytes certified_ek; /* of size 0 = it came without its certificate */
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
	bool has_pcrs;
	uint8_t pcrs[MESSAGE_PCRS][MESSAGE_PCR_SIZE];
	char key_exchange[KEY_EXCHANGE_SIZE];
};

struct handshake_conductor {
	enum handshake_conductor_state state;
	bool verified; /* message 1 */
	struct handshake_conductor_setup setup;
	struct transcript transcript;
	struct message_hello hello;
	struct registry_candidate candidate;
	bool clock_set_back;
	struct message_accept conductors; /* owned */
	enum message_identity identity;   /* what is asked for */
	uint64_t now_s;
	uint8_t secret[CREDENTIAL_SECRET_SIZE]; /* S */
	uint8_t quote_data[TRANSCRIPT_SIZE];    /* what the quote must be over */
	struct credential_ak ak;
	struct handshake_enrolment enrolment;
};

/* -ENOMEM. */
int handshake_conductor_init(struct handshake_conductor *h,
			     const struct handshake_conductor_setup *setup, struct err *err);
void handshake_conductor_release(struct handshake_conductor *h); /* wipes */

void handshake_conductor_step(struct handshake_conductor *h,
			      const struct handshake_conductor_event *event,
			      struct handshake_conductor_effect *ret);
void handshake_conductor_effect_release(struct handshake_conductor_effect *effect);

/* Has message 1 verified? */
bool handshake_conductor_is_verified(const struct handshake_conductor *h);
