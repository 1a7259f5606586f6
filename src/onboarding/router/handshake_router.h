/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_router.h - the router's side of the handshake: decides what to do about each message.
 *
 * Pure: it owns no socket, no key and no TPM. A driver tells it what happened and performs the
 * one effect that each step asks for. Then the driver must tell the event beside that effect:
 *
 *	effect                      what the driver does; then the event
 *	ROUTER_WAIT                 nothing: it waits for more bytes
 *	ROUTER_VERIFY_CERTIFICATE   checks the chain that the conductor showed against the token's
 *	                            CA, dates ignored: ROUTER_VERIFIED
 *	ROUTER_SEND                 sends the frame, then waits
 *	ROUTER_PRESENT_EK           makes an AK, reads the EK: ROUTER_PRESENTED
 *	ROUTER_ACTIVATE             TPM2_ActivateCredential: ROUTER_ACTIVATED
 *	ROUTER_QUOTE                TPM2_Quote of sha256 PCRs 0-7 by the AK: ROUTER_QUOTED
 *	ROUTER_STORE_KEY            has an SSH key on disk, synced: ROUTER_STORED
 *	ROUTER_ENROL                the end: uses the conductors that it was given
 *	ROUTER_RETRY                the end: closes, and tries again later
 *	ROUTER_REFUSE               the end: closes; only a new token helps
 *
 * If it cannot do what it was asked for, the driver tells ROUTER_FAILED. A connection that ends
 * needs no event. Only a peer that has proved to hold the key of the token's own certificate can
 * cause ROUTER_REFUSE: conductor_certificate in the setup must be the certificate of that proof.
 *
 * Calling sequence: handshake_router_init -> handshake_router_begin -> handshake_router_step ...
 * -> handshake_router_release.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "onboarding/frame.h"
#include "onboarding/message.h"
#include "onboarding/mode.h"
#include "onboarding/router/handshake_offer.h"
#include "onboarding/token.h"
#include "onboarding/transcript.h"

/*
 *	verifying ▶ greeted ┬▶ proved (none, certificate) ────────────────────┐
 *	                    └▶ presenting ▶ presented ▶ activating ▶ quoting ▶ proved
 *	                                                                      ▼
 *	                        enrolled ◀ keyed ◀ storing ◀──────────────────┘
 *
 * and from each to ended.
 */
enum handshake_router_state {
	HANDSHAKE_ROUTER_VERIFYING,
	HANDSHAKE_ROUTER_GREETED,    /* hello was sent, a challenge is awaited */
	HANDSHAKE_ROUTER_PRESENTING, /* EK and AK */
	HANDSHAKE_ROUTER_PRESENTED,  /* a credential is awaited */
	HANDSHAKE_ROUTER_ACTIVATING,
	HANDSHAKE_ROUTER_QUOTING,
	HANDSHAKE_ROUTER_PROVED, /* accept is awaited */
	HANDSHAKE_ROUTER_STORING,
	HANDSHAKE_ROUTER_KEYED, /* the SSH key was sent, done is awaited */
	HANDSHAKE_ROUTER_ENROLLED,
	HANDSHAKE_ROUTER_ENDED, /* refused, or to be tried again */
};

/* All borrowed for the call of handshake_router_init(), but the token: until the end. */
struct handshake_router_setup {
	const struct token *token;
	const char *asset_id;
	enum onboarding_mode minimum_mode;
	uint8_t nonce[MESSAGE_NONCE_SIZE]; /* random */
	uint8_t exporter[TRANSCRIPT_SIZE];
	struct span conductor_certificate; /* the leaf it showed, DER */
	struct span client_certificate;    /* the leaf that was shown to it; size 0 = none */
	unsigned version;                  /* of the messages: tls_channel_version() */
	const char *group;                 /* tls_channel_group() */
	bool requires_post_quantum;
	bool has_kem; /* then a key that was made for this handshake: */
	uint8_t kem_seed[KEM_SEED_SIZE];
	uint8_t kem_key[KEM_PUBLIC_SIZE];
};

enum handshake_router_event_type {
	ROUTER_RECEIVED, /* received: all since the last message */
	ROUTER_VERIFIED,
	ROUTER_PRESENTED, /* proof */
	ROUTER_ACTIVATED, /* secret */
	ROUTER_QUOTED,    /* attestation */
	ROUTER_STORED,    /* ssh_key */
	ROUTER_FAILED,    /* reason */
};

/* All borrowed for the step. */
struct handshake_router_event {
	enum handshake_router_event_type type;
	struct span received;
	const struct message_proof *proof; /* with EK */
	struct span secret;                /* what the credential held */
	struct span ssh_key;               /* the public key's blob */
	const struct message_attestation *attestation;
	const char *reason;
};

enum handshake_router_effect_type {
	ROUTER_WAIT,
	ROUTER_VERIFY_CERTIFICATE,
	ROUTER_SEND,
	ROUTER_PRESENT_EK,
	ROUTER_ACTIVATE,
	ROUTER_QUOTE,
	ROUTER_STORE_KEY,
	ROUTER_ENROL,
	ROUTER_RETRY,
	ROUTER_REFUSE,
};

struct handshake_router_effect {
	enum handshake_router_effect_type type;
	struct frame frame;                          /* of ROUTER_SEND; owned */
	bool with_certificate;                       /* of ROUTER_PRESENT_EK: the EK's, too */
	const struct message_credential *credential; /* of ROUTER_ACTIVATE; until the next step */
	uint8_t quote_data[TRANSCRIPT_SIZE];         /* of ROUTER_QUOTE: its qualifyingData */
	const struct message_accept *accept;         /* of ROUTER_ENROL; until the release */
	struct err err;                              /* of ROUTER_RETRY and ROUTER_REFUSE: why */
};

struct handshake_router {
	enum handshake_router_state state;
	const struct token *token;
	char asset_id[TOKEN_NAME_SIZE];
	uint8_t nonce[MESSAGE_NONCE_SIZE];
	bool is_tokens_certificate;
	struct handshake_offer offer;
	/* How keys were exchanged, once a challenge has come: for ROUTER_ENROL. */
	char key_exchange[KEY_EXCHANGE_SIZE];
	struct transcript transcript;
	struct message message;       /* the last one received */
	struct message_accept accept; /* of it: owned */
};

/* -EINVAL: no such asset-id in the token. -ENOMEM. */
int handshake_router_init(struct handshake_router *h, const struct handshake_router_setup *setup,
			  struct err *err);
void handshake_router_release(struct handshake_router *h); /* wipes */

/* The first effect. */
void handshake_router_begin(struct handshake_router *h, struct handshake_router_effect *ret);
void handshake_router_step(struct handshake_router *h, const struct handshake_router_event *event,
			   struct handshake_router_effect *ret);
void handshake_router_effect_release(struct handshake_router_effect *effect);

const char *handshake_router_state_name(enum handshake_router_state state);
