/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_offer.h - what this router offers in a handshake, and the least that it takes: what it
 * makes of the conductor's challenge.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/kem.h"
#include "onboarding/key_exchange.h"
#include "onboarding/message.h"
#include "onboarding/mode.h"
#include "onboarding/transcript.h"

struct handshake_offer {
	enum onboarding_mode minimum_mode;
	bool has_certificate; /* a client's, shown in TLS */
	unsigned version;     /* of the messages: tls_channel_version() */
	const char *group;    /* tls_channel_group(), borrowed */
	bool requires_post_quantum;
	bool has_kem; /* then a key that was made for this handshake: */
	uint8_t kem_seed[KEM_SEED_SIZE];
	uint8_t kem_key[KEM_PUBLIC_SIZE];
};

/* Does it offer ML-KEM? Messages of version 1 have no place for it. */
bool handshake_offer_has_kem(const struct handshake_offer *offer);

/* -EACCES: it asks for less than this router gives itself away for, or for what the router has not;
 * no other answer is to be expected from it. -EPROTO: it answers what was not offered. */
int handshake_offer_check(const struct handshake_offer *offer,
			  const struct message_challenge *challenge, struct err *err);

/* Sets the transcript's keys, by the pre-shared secret and by ML-KEM if the challenge has it, and
 * wipes the seed. -ENOMEM. */
int handshake_offer_set_keys(struct handshake_offer *offer, struct transcript *transcript,
			     struct span secret, const struct message_challenge *challenge,
			     char ret_key_exchange[KEY_EXCHANGE_SIZE], struct err *err);
