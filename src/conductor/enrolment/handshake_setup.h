/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_setup.h - what the conductor knows of a handshake before the router says hello: its own
 * side of the TLS connection, and the certificates that the router showed there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/jws.h"
#include "base/span.h"
#include "conductor/enrolment/device_certificate.h"
#include "onboarding/transcript.h"

/* Borrowed until the handshake is released. */
struct handshake_conductor_setup {
	uint8_t exporter[TRANSCRIPT_SIZE];
	struct span conductor_certificate; /* DER, the leaf that was shown */
	struct span ca_certificate;        /* DER */
	const struct jws_key *key;         /* of the conductor's certificate; public is enough */
	const struct device_ca *device_ca; /* NULL = none is configured */
	/* Of the certificates of endorsement keys; likewise. */
	const struct device_ca *endorsement_ca;
	const struct span *client_chain; /* DER, the leaf first */
	size_t n_client_chain;           /* 0 = it showed none */
	unsigned version;                /* of the messages: tls_channel_version() */
	const char *group;               /* tls_channel_group() */
	bool requires_post_quantum;
};
