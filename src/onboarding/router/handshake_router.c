/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/handshake_router.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static const char *const names[] = {
	[HANDSHAKE_ROUTER_VERIFYING] = "verifying",   [HANDSHAKE_ROUTER_GREETED] = "greeted",
	[HANDSHAKE_ROUTER_PRESENTING] = "presenting", [HANDSHAKE_ROUTER_PRESENTED] = "presented",
	[HANDSHAKE_ROUTER_ACTIVATING] = "activating", [HANDSHAKE_ROUTER_QUOTING] = "quoting",
	[HANDSHAKE_ROUTER_PROVED] = "proved",         [HANDSHAKE_ROUTER_STORING] = "storing",
	[HANDSHAKE_ROUTER_KEYED] = "keyed",           [HANDSHAKE_ROUTER_ENROLLED] = "enrolled",
	[HANDSHAKE_ROUTER_ENDED] = "ended",
};

#define BIT(state) (1u << (state))

static const unsigned moves[] = {
	[HANDSHAKE_ROUTER_VERIFYING] = BIT(HANDSHAKE_ROUTER_GREETED),
	[HANDSHAKE_ROUTER_GREETED] =
		BIT(HANDSHAKE_ROUTER_PRESENTING) | BIT(HANDSHAKE_ROUTER_PROVED),
	[HANDSHAKE_ROUTER_PRESENTING] = BIT(HANDSHAKE_ROUTER_PRESENTED),
	[HANDSHAKE_ROUTER_PRESENTED] = BIT(HANDSHAKE_ROUTER_ACTIVATING),
	[HANDSHAKE_ROUTER_ACTIVATING] = BIT(HANDSHAKE_ROUTER_QUOTING),
	[HANDSHAKE_ROUTER_QUOTING] = BIT(HANDSHAKE_ROUTER_PROVED),
	[HANDSHAKE_ROUTER_PROVED] = BIT(HANDSHAKE_ROUTER_STORING),
	[HANDSHAKE_ROUTER_STORING] = BIT(HANDSHAKE_ROUTER_KEYED),
	[HANDSHAKE_ROUTER_KEYED] = BIT(HANDSHAKE_ROUTER_ENROLLED),
	[HANDSHAKE_ROUTER_ENROLLED] = 0,
	[HANDSHAKE_ROUTER_ENDED] = 0,
};

const char *handshake_router_state_name(enum handshake_router_state state)
{
	return names[state];
}

static bool is_ended(const struct handshake_router *h)
{
	return h->state == HANDSHAKE_ROUTER_ENROLLED || h->state == HANDSHAKE_ROUTER_ENDED;
}

static void set_state(struct handshake_router *h, enum handshake_router_state state)
{
	assert(state == HANDSHAKE_ROUTER_ENDED ? !is_ended(h) : moves[h->state] & BIT(state));
	h->state = state;
}

/* out->err says why. */
static void end_handshake(struct handshake_router *h, enum handshake_router_effect_type type,
			  struct handshake_router_effect *out)
{
	set_state(h, HANDSHAKE_ROUTER_ENDED);
	out->type = type;
}

static bool is_of_token(const struct token *token, const char *asset_id)
{
	for (size_t i = 0; i < token->n_asset_ids; i++)
		if (strcmp(token->asset_ids[i], asset_id) == 0)
			return true;
	return false;
}

static void set_offer(struct handshake_offer *offer, const struct handshake_router_setup *setup)
{
	offer->minimum_mode = setup->minimum_mode;
	offer->has_certificate = setup->client_certificate.size > 0;
	offer->version = setup->version;
	offer->group = setup->group;
	offer->requires_post_quantum = setup->requires_post_quantum;
	offer->has_kem = setup->has_kem;
	memcpy(offer->kem_seed, setup->kem_seed, sizeof(offer->kem_seed));
	memcpy(offer->kem_key, setup->kem_key, sizeof(offer->kem_key));
}

int handshake_router_init(struct handshake_router *h, const struct handshake_router_setup *setup,
			  struct err *err)
{
	const struct token *token = setup->token;
	int rc;

	memset(h, 0, sizeof(*h));
	if (!is_of_token(token, setup->asset_id))
		return err_set(err, -EINVAL, "asset-id %s is none of the token's, which is for %s",
			       setup->asset_id, token->router);
	rc = transcript_begin(&h->transcript, setup->exporter, setup->conductor_certificate,
			      setup->client_certificate);
	if (rc < 0)
		return err_set(err, rc, "out of memory");
	(void)snprintf(h->asset_id, sizeof(h->asset_id), "%s", setup->asset_id);
	memcpy(h->nonce, setup->nonce, sizeof(h->nonce));
	h->state = HANDSHAKE_ROUTER_VERIFYING;
	h->token = token;
	set_offer(&h->offer, setup);
	h->is_tokens_certificate =
		setup->conductor_certificate.size == token->conductor_certificate_size &&
		memcmp(setup->conductor_certificate.bytes, token->conductor_certificate,
		       token->conductor_certificate_size) == 0;
	return 0;
}

void handshake_router_release(struct handshake_router *h)
{
	transcript_release(&h->transcript);
	message_release(&h->message);
	free(h->accept.conductors);
	OPENSSL_cleanse(h, sizeof(*h));
}

void handshake_router_effect_release(struct handshake_router_effect *effect)
{
	frame_release(&effect->frame);
}

/* Anybody may listen at the conductor's address. So this step never ends in ROUTER_REFUSE. */
void handshake_router_begin(struct handshake_router *h, struct handshake_router_effect *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (h->is_tokens_certificate) {
		ret->type = ROUTER_VERIFY_CERTIFICATE;
		return;
	}
	(void)err_set(&ret->err, -EKEYREJECTED,
		      "the conductor's certificate is not the one in the token");
	end_handshake(h, ROUTER_RETRY, ret);
}

static void send_message(struct handshake_router *h, const struct message *message,
			 enum handshake_router_state state, struct handshake_router_effect *out)
{
	if (frame_write(&out->frame, &h->transcript, message, &out->err) < 0) {
		end_handshake(h, ROUTER_RETRY, out);
		return;
	}
	set_state(h, state);
	out->type = ROUTER_SEND;
}

/* -> hello(1) */
static void send_hello(struct handshake_router *h, struct handshake_router_effect *out)
{
	const struct token *token = h->token;
	struct message m = {.type = MESSAGE_HELLO};
	struct message_hello *hello = &m.hello;

	hello->version = h->offer.version;
	(void)snprintf(hello->router, sizeof(hello->router), "%s", token->router);
	(void)snprintf(hello->asset_id, sizeof(hello->asset_id), "%s", h->asset_id);
	memcpy(hello->nonce, h->nonce, sizeof(hello->nonce));
	(void)snprintf(hello->header, sizeof(hello->header), "%s", token->header);
	(void)snprintf(hello->jti, sizeof(hello->jti), "%s", token->jti);
	hello->iat = token->iat;
	hello->exp = token->exp;
	(void)snprintf(hello->signature, sizeof(hello->signature), "%s", token->signature);
	hello->has_kem_key = handshake_offer_has_kem(&h->offer);
	memcpy(hello->kem_key, h->offer.kem_key, sizeof(hello->kem_key));
	send_message(h, &m, HANDSHAKE_ROUTER_GREETED, out);
}

/* challenge(2) -> proof(3), or, for an EK, ask the TPM first */
static void challenged(struct handshake_router *h, const struct message *m,
		       struct handshake_router_effect *out)
{
	const struct message proof = {.type = MESSAGE_PROOF};
	int rc;

	rc = handshake_offer_check(&h->offer, &m->challenge, &out->err);
	if (rc < 0) {
		end_handshake(h, rc == -EPROTO ? ROUTER_RETRY : ROUTER_REFUSE, out);
		return;
	}
	rc = handshake_offer_set_keys(&h->offer, &h->transcript,
				      span_of(h->token->secret, sizeof(h->token->secret)),
				      &m->challenge, h->key_exchange, &out->err);
	if (rc < 0) {
		end_handshake(h, ROUTER_RETRY, out);
		return;
	}
	out->with_certificate = m->challenge.identity == IDENTITY_EK_CERTIFICATE;
	if (m->challenge.identity != IDENTITY_EK && !out->with_certificate) {
		send_message(h, &proof, HANDSHAKE_ROUTER_PROVED, out);
		return;
	}
	set_state(h, HANDSHAKE_ROUTER_PRESENTING);
	out->type = ROUTER_PRESENT_EK;
}

/* the TPM has shown EK and AK -> proof(3) */
static void presented(struct handshake_router *h, const struct handshake_router_event *event,
		      struct handshake_router_effect *out)
{
	const struct message m = {.type = MESSAGE_PROOF, .proof = *event->proof};

	send_message(h, &m, HANDSHAKE_ROUTER_PRESENTED, out);
}

/* credential(4) is activated -> ask the TPM for a quote */
static void activated(struct handshake_router *h, const struct handshake_router_event *event,
		      struct handshake_router_effect *out)
{
	int rc = transcript_set_tpm_secret(&h->transcript, event->secret);

	if (rc == 0)
		rc = transcript_quote_data(&h->transcript, out->quote_data);
	if (rc < 0) {
		(void)err_set(&out->err, rc, "out of memory");
		end_handshake(h, ROUTER_RETRY, out);
		return;
	}
	set_state(h, HANDSHAKE_ROUTER_QUOTING);
	out->type = ROUTER_QUOTE;
}

/* the TPM has made the quote -> attestation(5) */
static void quoted(struct handshake_router *h, const struct handshake_router_event *event,
		   struct handshake_router_effect *out)
{
	struct message m = {.type = MESSAGE_ATTESTATION};

	m.attestation = *event->attestation;
	send_message(h, &m, HANDSHAKE_ROUTER_PROVED, out);
}

/* accept(6) was taken, and the SSH key is on disk -> keys(7) */
static void stored(struct handshake_router *h, const struct handshake_router_event *event,
		   struct handshake_router_effect *out)
{
	struct message m = {.type = MESSAGE_KEYS};

	assert(ssh_key_is_ed25519(event->ssh_key));
	memcpy(m.keys.ssh_key, event->ssh_key.bytes, sizeof(m.keys.ssh_key));
	send_message(h, &m, HANDSHAKE_ROUTER_KEYED, out);
}

/* Which message is awaited; false = none: it is not the conductor's turn. */
static bool awaited(enum handshake_router_state state, enum message_type *ret)
{
	switch (state) {
	case HANDSHAKE_ROUTER_GREETED:
		*ret = MESSAGE_CHALLENGE;
		return true;
	case HANDSHAKE_ROUTER_PRESENTED:
		*ret = MESSAGE_CREDENTIAL;
		return true;
	case HANDSHAKE_ROUTER_PROVED:
		*ret = MESSAGE_ACCEPT;
		return true;
	case HANDSHAKE_ROUTER_KEYED:
		*ret = MESSAGE_DONE;
		return true;
	default:
		return false;
	}
}

static void told_error(struct handshake_router *h, enum message_reason reason,
		       struct handshake_router_effect *out)
{
	if (reason == REASON_RETRY_LATER) {
		(void)err_set(&out->err, -EAGAIN, "the conductor could not decide: retry-later");
		end_handshake(h, ROUTER_RETRY, out);
		return;
	}
	if (reason == REASON_POST_QUANTUM)
		(void)err_set(&out->err, -EACCES,
			      "the conductor requires a post-quantum key exchange; this router "
			      "offers only %s: its libcrypto has no " KEM_NAME
			      " (OpenSSL 3.5 and Debian 13 have); upgrade it, then give it a new "
			      "token",
			      h->offer.group);
	else
		(void)err_set(&out->err, -EACCES,
			      "the conductor refused while the router was %s; its audit says why",
			      names[h->state]);
	end_handshake(h, ROUTER_REFUSE, out);
}

/* h->message is the message that was awaited. */
static void handle_message(struct handshake_router *h, struct handshake_router_effect *out)
{
	switch (h->message.type) {
	case MESSAGE_CHALLENGE:
		challenged(h, &h->message, out);
		return;
	case MESSAGE_CREDENTIAL:
		set_state(h, HANDSHAKE_ROUTER_ACTIVATING);
		out->type = ROUTER_ACTIVATE;
		out->credential = &h->message.credential;
		return;
	case MESSAGE_ACCEPT:
		h->accept = h->message.accept;
		memset(&h->message, 0, sizeof(h->message));
		set_state(h, HANDSHAKE_ROUTER_STORING);
		out->type = ROUTER_STORE_KEY;
		return;
	case MESSAGE_DONE:
		set_state(h, HANDSHAKE_ROUTER_ENROLLED);
		out->type = ROUTER_ENROL;
		out->accept = &h->accept;
		return;
	default:
		told_error(h, h->message.reason, out);
		return;
	}
}

static void received(struct handshake_router *h, struct span bytes,
		     struct handshake_router_effect *out)
{
	enum message_type expected;
	int rc;

	if (!awaited(h->state, &expected)) {
		(void)err_set(&out->err, -EPROTO, "the conductor spoke while the router was %s",
			      names[h->state]);
		end_handshake(h, ROUTER_RETRY, out);
		return;
	}
	message_release(&h->message);
	rc = frame_read(&h->message, &h->transcript, expected, bytes, &out->err);
	if (rc == -EAGAIN)
		return;
	if (rc < 0)
		/* A conductor that has the token's certificate but not its secret will never accept
		 * the token. */
		end_handshake(h, rc == -EKEYREJECTED ? ROUTER_REFUSE : ROUTER_RETRY, out);
	else
		handle_message(h, out);
}

void handshake_router_step(struct handshake_router *h, const struct handshake_router_event *event,
			   struct handshake_router_effect *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (is_ended(h))
		return;
	switch (event->type) {
	case ROUTER_RECEIVED:
		received(h, event->received, ret);
		return;
	case ROUTER_VERIFIED:
		assert(h->state == HANDSHAKE_ROUTER_VERIFYING);
		send_hello(h, ret);
		return;
	case ROUTER_PRESENTED:
		assert(h->state == HANDSHAKE_ROUTER_PRESENTING);
		presented(h, event, ret);
		return;
	case ROUTER_ACTIVATED:
		assert(h->state == HANDSHAKE_ROUTER_ACTIVATING);
		activated(h, event, ret);
		return;
	case ROUTER_QUOTED:
		assert(h->state == HANDSHAKE_ROUTER_QUOTING);
		quoted(h, event, ret);
		return;
	case ROUTER_STORED:
		assert(h->state == HANDSHAKE_ROUTER_STORING);
		stored(h, event, ret);
		return;
	case ROUTER_FAILED:
		(void)err_set(&ret->err, -EIO, "%s", event->reason);
		end_handshake(h, ROUTER_RETRY, ret);
		return;
	}
}
