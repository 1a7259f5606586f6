/* sco_steps.h - the part of a handshake with a conductor that computes: TLS, the pure steps, and
 * the work with TPM and disk. All of it blocks and belongs on a worker. For sco_client.c only.
 */
#pragma once

#include "onboarding/router/handshake_router.h"
#include "onboarding/router/sco_client.h"
#include "onboarding/router/tpm_identity.h"

struct sco_steps {
	const struct sco_client_options *options;
	struct tls_context *tls;
	struct tls_channel *channel;
	struct tls_signer signer;
	uint8_t *certificate; /* our leaf, DER; owned */
	size_t certificate_size;
	struct tpm_identity identity;
	bool established;
	struct handshake_router handshake;
	bool has_handshake;
	struct span chain[TLS_CHAIN_MAX];
	size_t n_chain;
	uint8_t received[FRAME_SIZE_MAX + 1];
	size_t n_received;
	bool over;
	enum sco_result result;
	struct err err;
};

/* Before the connection: certificate and channel. */
int sco_steps_open(struct sco_steps *s, const struct sco_client_options *options, struct err *err);
void sco_steps_close(struct sco_steps *s);
/* The connection is there, or bytes have come. */
void sco_steps_go_on(struct sco_steps *s);
