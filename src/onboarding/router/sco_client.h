/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sco_client.h - one handshake with one conductor, from connecting to its end.
 *
 * TLS, the pure steps, and the work with TPM and disk run on the thread pool.
 *
 * Calling sequence: sco_client_start -> done -> sco_client_close.
 */
#pragma once

#include <uv.h>

#include "onboarding/router/sco_steps.h"

/* Strings and token are borrowed until closed. */
struct sco_client_options {
	uv_loop_t *loop;
	const char *host; /* a name or an address */
	uint16_t port;
	struct sco_steps_options steps; /* what this router shows, and with what */
};

struct sco_client;
/* accept, with ENROLLED: the conductors to connect to; key_exchange, likewise: key_exchange_name();
 * borrowed. err, with the others: why. */
typedef void (*sco_client_cb)(void *owner, enum sco_result result,
			      const struct message_accept *accept, const char *key_exchange,
			      const struct err *err);

int sco_client_start(struct sco_client **ret, const struct sco_client_options *options,
		     sco_client_cb done, void *owner, struct err *err);
/* May be called before done, which then does not come. */
void sco_client_close(struct sco_client *c, void (*closed)(void *owner));
