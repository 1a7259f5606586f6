/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sco_steps.h - the part of a handshake with a conductor that computes: TLS, the pure steps, and
 * the work with TPM and disk. All of it blocks and belongs on a worker: sco_client has one.
 */
#pragma once

#include "onboarding/router/handshake_router.h"
#include "onboarding/router/tpm_identity.h"
#include "onboarding/tls_session.h"

enum sco_result {
	SCO_RESULT_ENROLLED,
	SCO_RESULT_RETRY,   /* try again later */
	SCO_RESULT_REFUSED, /* only a new token helps */
};

/* All borrowed until closed. */
struct sco_steps_options {
	const struct token *token;
	const char *asset_id;
	enum onboarding_mode minimum_mode;
	bool requires_post_quantum;
	const char *tcti;
	uint32_t ek_handle;
	const char *device_id_certificate; /* PEM file; NULL = none */
	uint32_t device_id_key_handle;
	/* The private key, made if it is not there; <file>.pub beside it. */
	const char *ssh_key_file;
};

struct sco_steps {
	struct tls_session session; /* its owner starts and closes it */
	const struct sco_steps_options *options;
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
int sco_steps_open(struct sco_steps *s, const struct sco_steps_options *options, struct err *err);
void sco_steps_close(struct sco_steps *s);
/* The connection is there, or bytes have come: compute() of the steps' session. */
void sco_steps_go_on(struct tls_session *session);
