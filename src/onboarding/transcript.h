/* SPDX-License-Identifier: GPL-3.0-or-later */
/* transcript.h - a hash over all that both sides of a handshake have said, and the keys for their
 * MACs.
 *
 * The hash begins with the TLS channel (its exporter and both certificates), and each message is
 * added to it. A MAC is over the hash at that point. So somebody who relays between two channels,
 * or replays an old message, has another hash and cannot make the MAC. The formulas:
 * docs/onboarding.md, "Channel binding and keys".
 *
 * Where both sides have exchanged a secret by ML-KEM too, every key depends on it and on what the
 * keys depend on without it: who has one of the two alone makes no MAC.
 *
 * Calling sequence: transcript_begin -> transcript_add for each message, transcript_set_kem_secret
 * if there is one, and then a key before the first MAC under it -> transcript_release.
 *
 * The only errors are those of libcrypto for lack of memory: -ENOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/kem.h"
#include "base/span.h"

#define TRANSCRIPT_EXPORTER_LABEL "EXPORTER-Channel-Binding" /* RFC 9266; empty context */
#define TRANSCRIPT_SIZE           32                         /* of a hash, a key, a MAC */
#define TRANSCRIPT_SECRET_MAX     64

/* In the order in which they are sent. */
enum transcript_mac {
	TRANSCRIPT_R1,
	TRANSCRIPT_T1,
	TRANSCRIPT_C1,
	TRANSCRIPT_R2,
	TRANSCRIPT_C2,
};

struct transcript {
	uint8_t exporter[TRANSCRIPT_SIZE];      /* X */
	uint8_t hash[TRANSCRIPT_SIZE];          /* TH */
	uint8_t router_key[TRANSCRIPT_SIZE];    /* K_R */
	uint8_t conductor_key[TRANSCRIPT_SIZE]; /* K_C */
	uint8_t tpm_key[TRANSCRIPT_SIZE];       /* K_T */
	uint8_t kem_secret[KEM_SECRET_SIZE];    /* SS */
	bool has_kem_secret;
	bool has_keys;
	bool has_tpm_key;
};

/* Certificates are DER; the client's is of size 0 where it showed none. */
int transcript_begin(struct transcript *t, const uint8_t exporter[TRANSCRIPT_SIZE],
		     struct span server_leaf, struct span client_leaf);
void transcript_release(struct transcript *t); /* wipes */

/* A message was sent or received. */
int transcript_add(struct transcript *t, struct span json);

/* What was exchanged by ML-KEM: before the keys. */
void transcript_set_kem_secret(struct transcript *t, const uint8_t secret[KEM_SECRET_SIZE]);

/* The pre-shared secret; S of the activated credential. At most TRANSCRIPT_SECRET_MAX bytes. */
int transcript_set_secret(struct transcript *t, struct span secret);
int transcript_set_tpm_secret(struct transcript *t, struct span secret);

/* The MAC over everything so far. Its key must have been set. */
int transcript_make_mac(const struct transcript *t, enum transcript_mac which,
			uint8_t ret[TRANSCRIPT_SIZE]);
/* -EKEYREJECTED: it is not this one. In constant time. */
int transcript_check_mac(const struct transcript *t, enum transcript_mac which, struct span mac);

/* The extraData of the quote, once the credential message has been added. */
int transcript_quote_data(const struct transcript *t, uint8_t ret[TRANSCRIPT_SIZE]);

const char *transcript_mac_name(enum transcript_mac which);
