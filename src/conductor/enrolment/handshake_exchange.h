/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_exchange.h - the conductor's part of the key exchange by ML-KEM: whether there must be
 * one, and what comes of it.
 *
 * Pure, but for libcrypto's random numbers.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "conductor/enrolment/handshake_checks.h"
#include "onboarding/key_exchange.h"
#include "onboarding/transcript.h"

/* Where both sides have it, a new secret is encapsulated to the router, in challenge; the
 * transcript's keys depend on it and on the pre-shared secret. -EACCES: it is required and not to
 * be had; -EBADMSG: the router's key is none; -ENOMEM. */
int handshake_exchange_keys(const struct handshake_facts *facts, struct transcript *transcript,
			    struct message_challenge *challenge,
			    char ret_key_exchange[KEY_EXCHANGE_SIZE], struct err *err);

/* After -EACCES, may the router be told by REASON_POST_QUANTUM? If it knows the word, and is the
 * one that lacks something. */
bool handshake_exchange_may_tell(const struct handshake_facts *facts);
