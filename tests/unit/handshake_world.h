/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_world.h - a router and a conductor that shake hands in memory, and who comes between.
 *
 * Both are the real ones; the TPM is soft_tpm, the registry two records: what it says when it is
 * looked up, and what it says at the commit. A test changes something, runs, and looks how either
 * side ended.
 */
#pragma once

#include "pki.h"
#include "soft_tpm.h"

#include "conductor/enrolment/handshake_conductor.h"
#include "onboarding/router/handshake_router.h"

#define WORLD_JTI    "0123456789abcdef0123456789abcdef"
#define WORLD_SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"

/* What is made once: keys take long. */
struct world_keys {
	struct pki *pki;
	struct soft_tpm tpm;
	struct soft_tpm other_tpm;
	EVP_PKEY *device_key;
	struct span device;       /* DER: a certificate of A0 by the device CA */
	struct span other_device; /* of A1 */
	struct span self_signed;
	struct span ek_certificate; /* of the TPM's EK, by the device CA, too */
	struct device_ca device_ca; /* which is pki's */
	struct jws_key key;
	uint64_t iat; /* of tokens: now, as the certificates are of today */
};

struct world {
	const struct world_keys *keys;
	/* What may be changed before the run. */
	struct token token;
	struct registry_candidate candidate;
	bool clock_set_back;
	struct handshake_router_setup router_setup;
	struct handshake_conductor_setup conductor_setup;
	struct span client_chain[1];
	uint64_t now_s;
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
	struct soft_tpm tpm; /* the router's; its keys are borrowed */
	struct message_bytes shown_ek;
	struct message_proof proof;
	struct soft_tpm_quote quote;
	bool quote_other_data;
	bool lies_about_certificate; /* the router goes on without one */
	bool ends_in_commit;         /* the registry cannot be asked then */
	const char *denied;          /* by the registry at the commit */
	bool denied_as_other_device;
	const char *failed; /* an effect of the router's that fails: "quote" ... */
	/* Called for each message on its way, 1 to 8. */
	void (*tamper)(struct world *w, unsigned number, struct frame *frame);
	unsigned tamper_at;
	unsigned fault_step; /* of either side, from 1: in it the allocation fault_n fails; 0 = none
			      */
	unsigned fault_n;
	/* What came of it. */
	bool fault_had_effect;
	unsigned n_steps;
	struct frame sent[9]; /* by number; as it left */
	unsigned n_sent;
	enum handshake_router_effect_type router_end;
	enum handshake_conductor_effect_type conductor_end;
	struct err router_err;
	struct err conductor_err;
	bool alert;
	bool verified; /* message 1 */
	unsigned n_enrolled;
	struct handshake_enrolment enrolment;
	unsigned n_conductors; /* that the router was told */
	char router_key_exchange[KEY_EXCHANGE_SIZE];
};

int world_keys_make(void **state);
int world_keys_end(void **state);

/* A world in which all goes well. */
void world_init(struct world *w, const struct world_keys *keys, enum onboarding_mode mode,
		enum message_identity identity);
void world_release(struct world *w);

/* Run until nobody says anything more. */
void world_run(struct world *w);

/* A frame with another content. */
void world_set_frame(struct frame *frame, const void *json, size_t size, const uint8_t *mac);
