/* handshake_record.h - what the conductor knows of a handshake before the router has proved
 * anything: its own side of the TLS connection, and what the registry says.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/jws.h"
#include "base/span.h"
#include "conductor/enrolment/device_certificate.h"
#include "conductor/registry/registry_pin.h"
#include "onboarding/message.h"
#include "onboarding/mode.h"
#include "onboarding/token.h"
#include "onboarding/transcript.h"

/* What the registry knows about an asset-id and a jti, in one transaction. */
struct handshake_record {
	/* Does a node have that asset-id? Everything below is about that node and its router. */
	bool known;
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	enum onboarding_mode mode;
	uint8_t secret[TOKEN_SECRET_SIZE];
	char asset_ids[TOKEN_ASSET_IDS_MAX][TOKEN_NAME_SIZE]; /* of all its nodes */
	size_t n_asset_ids;
	struct message_bytes ek; /* configured, DER; size 0 = none */
	struct registry_pin pin;
	uint16_t listen_port; /* of its tunnel: the router will be told */
	bool revoked;         /* the token of that jti */
	bool clock_set_back;  /* this conductor's clock is not to be trusted */
	/* For the audit: what has changed since the token was issued, as far as is known.
	 * "" = nothing. */
	char changed[128];
};

/* Borrowed until the handshake is released. */
struct handshake_conductor_setup {
	uint8_t exporter[TRANSCRIPT_SIZE];
	struct span conductor_certificate; /* DER, the leaf that was shown */
	struct span ca_certificate;        /* DER */
	const struct jws_key *key;         /* of the conductor's certificate; public is enough */
	const struct device_ca *device_ca; /* NULL = none is configured */
	const struct span *client_chain;   /* DER, the leaf first */
	size_t n_client_chain;             /* 0 = it showed none */
};
