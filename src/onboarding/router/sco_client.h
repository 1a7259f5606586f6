/* sco_client.h - one handshake with one conductor, from connecting to its end.
 *
 * TLS, the pure steps, and the work with TPM and disk run on the thread pool.
 *
 * Calling sequence: sco_client_start -> done -> sco_client_close.
 */
#pragma once

#include <uv.h>

#include "onboarding/message.h"
#include "onboarding/mode.h"
#include "onboarding/tls_channel.h"
#include "onboarding/token.h"

/* Strings and token are borrowed until closed. */
struct sco_client_options {
	uv_loop_t *loop;
	const char *host; /* a name or an address */
	uint16_t port;
	const struct token *token;
	const char *asset_id;
	enum onboarding_mode minimum_mode;
	const char *tcti;
	uint32_t ek_handle;
	const char *device_id_certificate; /* PEM file; NULL = none */
	uint32_t device_id_key_handle;
	const char
		*ssh_key_file; /* the private key, made if it is not there; <file>.pub beside it */
};

enum sco_result {
	SCO_RESULT_ENROLLED,
	SCO_RESULT_RETRY,   /* try again later */
	SCO_RESULT_REFUSED, /* only a new token helps */
};

struct sco_client;
/* accept, with ENROLLED: the conductors to connect to; borrowed. err, with the others: why. */
typedef void (*sco_client_cb)(void *owner, enum sco_result result,
			      const struct message_accept *accept, const struct err *err);

int sco_client_start(struct sco_client **ret, const struct sco_client_options *options,
		     sco_client_cb done, void *owner, struct err *err);
/* May be called before done, which then does not come. */
void sco_client_close(struct sco_client *c, void (*closed)(void *owner));
