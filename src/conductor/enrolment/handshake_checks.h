/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_checks.h - what the conductor checks of a router, message by message.
 *
 * Each check that fails fills err with the sentence that is written to the audit. A pin that
 * fails with -EKEYREJECTED means another device; other failures are -EACCES, or the error of the
 * part that checked.
 */
#pragma once

#include "base/err.h"
#include "conductor/enrolment/credential.h"
#include "conductor/enrolment/handshake_setup.h"
#include "conductor/registry/registry_lookup.h"
#include "onboarding/message.h"

/* What a router is compared with. All borrowed. */
struct handshake_facts {
	const struct handshake_conductor_setup *setup;
	const struct message_hello *hello;
	const struct registry_candidate *candidate;
	bool clock_set_back; /* this conductor's clock is not to be trusted */
	uint64_t now_s;      /* Unix seconds, this conductor's clock */
};

/* Message 1, compared with the registry; cheap checks first. */
int handshake_check_hello(const struct handshake_facts *facts, struct err *err);

/* What the router must show besides the secret. -EACCES: the mode needs something that is not
 * configured. */
int handshake_choose_identity(const struct handshake_facts *facts, enum message_identity *ret,
			      struct err *err);

/* Message 3 shows what was asked for. */
int handshake_check_proof(enum message_identity identity, const struct message_proof *proof,
			  struct err *err);

/* Message 3 of a router that shows a certificate; fills the pin. */
int handshake_check_certificate(const struct handshake_facts *facts, struct registry_pin *ret,
				struct err *err);

/* Message 3 of one that shows an EK, with its certificate or without; fills the pin and reads the
 * AK. */
int handshake_check_ek(const struct handshake_facts *facts, const struct message_proof *proof,
		       struct registry_pin *ret_pin, struct credential_ak *ret_ak, struct err *err);

/* Message 7, where the node is recognized by its SSH key: fills the pin. */
int handshake_pin_ssh_key(struct span key, struct registry_pin *ret, struct err *err);

/* -EKEYREJECTED: the node is enrolled with another one. */
int handshake_check_pin(const struct registry_candidate *candidate, const struct registry_pin *pin,
			struct err *err);
