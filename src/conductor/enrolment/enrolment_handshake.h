/* enrolment_handshake.h - one handshake on the thread pool: TLS, the pure steps, and what they ask
 * for.
 *
 * Bytes go in and out of the channel's memory; the socket is tls_session's. The registry is asked
 * neither here nor on libuv's pool, which a database that hangs would hold up: who says hello is
 * looked up by a job of its own, and the commit waits for that of others (enrolment_commits.h).
 *
 * Calling sequence: enrolment_handshake_open -> enrolment_handshake_go_on ... until it waits ->
 * enrolment_handshake_look_up -> enrolment_handshake_go_on ... until it waits ->
 * enrolment_handshake_decided -> enrolment_handshake_close, once outcome says how it ended.
 */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/work_pool.h"
#include "conductor/enrolment/handshake_conductor.h"
#include "conductor/enrolment/identity.h"
#include "conductor/registry/registry_enrolment.h"
#include "onboarding/tls_channel.h"

/* What all handshakes share; none of it changes while one runs. */
struct enrolment_context {
	struct registry *registry;
	struct work_pool *pool; /* that asks it; NULL = libuv's */
	struct conductor_identity identity;
	struct device_ca device_ca;
	bool has_device_ca;
	struct tls_signer signer;
	struct tls_context *tls;
	uint16_t repository_port;
	size_t message_max; /* bytes of JSON */
	/* The keys that may log in have changed: have sshd know them. On a worker. */
	int (*sync_keys)(void *owner, struct err *err);
	void *owner;
};

int enrolment_context_init(struct enrolment_context *ret, struct registry *registry,
			   const struct config_conductor *config, uint16_t repository_port,
			   struct err *err);
void enrolment_context_release(struct enrolment_context *context);

/* How it ended. */
enum enrolment_outcome {
	ENROLMENT_UNDER_WAY,
	ENROLMENT_ENROLLED,
	ENROLMENT_REFUSED,  /* by a handshake whose first message had verified, or whose token was
			       ours */
	ENROLMENT_STRANGER, /* before that */
	ENROLMENT_RETRY_LATER,
};

/* What for. */
enum enrolment_waits {
	ENROLMENT_FOR_BYTES,
	ENROLMENT_FOR_LOOKUP, /* see enrolment_handshake_look_up() */
	ENROLMENT_FOR_COMMIT, /* see enrolment_handshake_decided() */
};

struct enrolment_lookup; /* its own */

struct enrolment_handshake {
	const struct enrolment_context *context;
	char address[REGISTRY_ADDRESS_SIZE];
	struct tls_channel *channel;
	bool established;
	struct span chain[TLS_CHAIN_MAX];
	/* Both owned, and there only once TLS is established: most who wait have not come so far.
	 */
	struct handshake_conductor *steps;
	uint8_t (*received)[FRAME_SIZE_MAX +
			    1]; /* of the message that comes; one more is too long */
	size_t n_received;
	enum enrolment_waits waits;
	struct enrolment_lookup *lookup; /* owned */
	bool denied; /* by the registry's commit, which has its line in the audit */
	bool verified;
	enum enrolment_outcome outcome;
	bool alert;
	struct err err; /* why, of an end that is no enrolment */
};

/* channel is borrowed. */
void enrolment_handshake_open(struct enrolment_handshake *h,
			      const struct enrolment_context *context, struct tls_channel *channel,
			      const char *address);
void enrolment_handshake_close(struct enrolment_handshake *h);

/* Bytes have come, or what was looked up. On a worker. It may wait afterwards: see waits. */
void enrolment_handshake_go_on(struct enrolment_handshake *h);
/* Who says hello? On a worker that may wait for the registry; then it goes on. */
void enrolment_handshake_look_up(struct enrolment_handshake *h);
/* What its enrolment comes to: err's code is 0, or why nothing was decided. On a worker. */
void enrolment_handshake_decided(struct enrolment_handshake *h,
				 const struct registry_decision *decision, const struct err *err);
/* It ends for a reason of the connection's. */
void enrolment_handshake_break(struct enrolment_handshake *h, const char *why);
