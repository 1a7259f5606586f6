/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_handshake.h - one handshake on the thread pool: TLS, the pure steps, and what they
 * ask for.
 *
 * Its tls_session moves the bytes, and calls enrolment_handshake_go_on() for each message. The
 * registry is not asked on libuv's pool, which a database that hangs would block: a job of its own
 * looks up the router that says hello, and the commit waits for enrolment_commits.h.
 *
 * Calling sequence: enrolment_handshake_open -> enrolment_handshake_go_on ... until it waits ->
 * enrolment_handshake_look_up -> enrolment_handshake_go_on ... until it waits ->
 * enrolment_handshake_decided -> enrolment_handshake_close, once outcome says how it ended.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "conductor/enrolment/enrolment_context.h"
#include "conductor/enrolment/handshake_conductor.h"
#include "conductor/registry/registry_enrolment.h"
#include "onboarding/tls_session.h"

/* How it ended. */
enum enrolment_outcome {
	ENROLMENT_UNDER_WAY,
	ENROLMENT_ENROLLED,
	ENROLMENT_REFUSED,  /* the first message had verified, or the token was one of ours */
	ENROLMENT_STRANGER, /* refused before that */
	ENROLMENT_RETRY_LATER,
};

/* What a handshake waits for. */
enum enrolment_waits {
	ENROLMENT_FOR_BYTES,
	ENROLMENT_FOR_LOOKUP, /* see enrolment_handshake_look_up() */
	ENROLMENT_FOR_COMMIT, /* see enrolment_handshake_decided() */
};

/* What the registry has answered. */
struct enrolment_lookup {
	struct registry_candidate candidate;
	bool clock_set_back;
	struct message_accept conductors; /* whom the router will be told of; owned */
	int rc;                           /* negative errno: the registry could not be asked */
	struct err err;
};

struct enrolment_handshake {
	struct tls_session tls; /* its owner starts and closes it */
	const struct enrolment_context *context;
	char address[REGISTRY_ADDRESS_SIZE];
	bool established;
	struct span chain[TLS_CHAIN_MAX];
	/* Both owned, and allocated only once TLS is established: most of those that wait have
	 * not come so far. */
	struct handshake_conductor *steps;
	uint8_t (*received)[FRAME_SIZE_MAX + 1]; /* the message that is being received; one byte
						    more shows that it is too long */
	size_t n_received;
	enum enrolment_waits waits;
	struct enrolment_lookup *lookup; /* owned */
	bool denied; /* refused by the registry's commit, which has written the audit */
	bool verified;
	enum enrolment_outcome outcome;
	bool alert;
	struct err err; /* why it ended, unless it is enrolled */
};

/* h is zeroed, but for h->tls. */
void enrolment_handshake_open(struct enrolment_handshake *h,
			      const struct enrolment_context *context, const char *address);
/* Leaves h->tls to its owner. */
void enrolment_handshake_close(struct enrolment_handshake *h);

/* Goes on after bytes have come, or after the look-up: compute() of h->tls, on a worker. Afterwards
 * it may wait: see waits. */
void enrolment_handshake_go_on(struct tls_session *tls);
/* Are there only messages left that are checked by a MAC alone? The router has shown a token, and
 * the mode asks for no certificate and no TPM. */
bool enrolment_handshake_is_quick(const struct tls_session *tls);
/* Looks up the router that says hello. On a worker that may wait for the registry; then the
 * handshake goes on. */
void enrolment_handshake_look_up(struct enrolment_handshake *h);
/* Tells the result of its commit: err->code is 0, or err says why nothing was decided. On a
 * worker. */
void enrolment_handshake_decided(struct enrolment_handshake *h,
				 const struct registry_decision *decision, const struct err *err);
/* Ends the handshake because of its connection. */
void enrolment_handshake_break(struct enrolment_handshake *h, const char *why);
