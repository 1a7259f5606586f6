/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/handshake_conductor.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/enrolment/handshake_checks.h"
#include "conductor/enrolment/handshake_exchange.h"

static void set_state(struct handshake_conductor *h, enum handshake_conductor_state state)
{
	assert(handshake_conductor_state_may_become(h->state, state));
	h->state = state;
}

bool handshake_conductor_is_verified(const struct handshake_conductor *h)
{
	return h->verified;
}

int handshake_conductor_init(struct handshake_conductor *h,
			     const struct handshake_conductor_setup *setup, struct err *err)
{
	struct span client = setup->n_client_chain > 0 ? setup->client_chain[0] : span_of(NULL, 0);

	memset(h, 0, sizeof(*h));
	h->setup = *setup;
	h->state = HANDSHAKE_CONDUCTOR_EXPECTING;
	if (transcript_begin(&h->transcript, setup->exporter, setup->conductor_certificate,
			     client) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void handshake_conductor_release(struct handshake_conductor *h)
{
	credential_ak_release(&h->ak);
	free(h->conductors.conductors);
	OPENSSL_cleanse(h, sizeof(*h));
}

void handshake_conductor_effect_release(struct handshake_conductor_effect *effect)
{
	frame_release(&effect->frame);
}

/* The peer is only told the word of the reason; out->err is for the audit. */
static void end_handshake(struct handshake_conductor *h, enum message_reason reason,
			  struct handshake_conductor_effect *out)
{
	const struct message m = {.type = MESSAGE_ERROR, .reason = reason};

	set_state(h, HANDSHAKE_CONDUCTOR_ENDED);
	frame_release(&out->frame);
	(void)frame_write(&out->frame, &h->transcript, &m, NULL);
	out->type = reason == REASON_RETRY_LATER ? CONDUCTOR_RETRY_LATER : CONDUCTOR_REFUSED;
}

/* If our own memory ran out, it is not the router's fault: it may try again. */
static void end_failed(struct handshake_conductor *h, int code,
		       struct handshake_conductor_effect *out)
{
	end_handshake(h, code == -ENOMEM || code == -EIO ? REASON_RETRY_LATER : REASON_REFUSED,
		      out);
}

static bool send_message(struct handshake_conductor *h, const struct message *message,
			 enum handshake_conductor_state state,
			 struct handshake_conductor_effect *out)
{
	int rc = frame_write(&out->frame, &h->transcript, message, &out->err);

	if (rc < 0) {
		end_handshake(h, REASON_RETRY_LATER, out);
		return false;
	}
	set_state(h, state);
	out->type = CONDUCTOR_SEND;
	return true;
}

static struct handshake_facts facts_of(const struct handshake_conductor *h)
{
	return (struct handshake_facts){
		.setup = &h->setup,
		.hello = &h->hello,
		.candidate = &h->candidate,
		.clock_set_back = h->clock_set_back,
		.now_s = h->now_s,
	};
}

/* hello(1) -> look it up in the registry */
static void greeted(struct handshake_conductor *h, const struct message *m,
		    struct handshake_conductor_effect *out)
{
	h->hello = m->hello;
	set_state(h, HANDSHAKE_CONDUCTOR_LOOKING_UP);
	out->type = CONDUCTOR_LOOK_UP;
}

static int copy_conductors(struct handshake_conductor *h, const struct message_accept *from,
			   struct err *err)
{
	struct message_accept *to = &h->conductors;

	to->conductors = calloc(from->n_conductors, sizeof(to->conductors[0]));
	if (!to->conductors)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(to->conductors, from->conductors, from->n_conductors * sizeof(to->conductors[0]));
	to->n_conductors = from->n_conductors;
	return 0;
}

static int check_hello(struct handshake_conductor *h, const struct handshake_conductor_event *event,
		       struct err *err)
{
	struct handshake_facts facts;
	int rc;

	h->candidate = *event->candidate;
	h->clock_set_back = event->clock_set_back;
	h->now_s = event->now_s;
	memcpy(h->secret, event->secret, sizeof(h->secret));
	facts = facts_of(h);
	rc = handshake_check_hello(&facts, err);
	if (rc < 0)
		return rc;
	h->verified = true;
	rc = handshake_choose_identity(&facts, &h->identity, err);
	return rc == 0 ? copy_conductors(h, event->conductors, err) : rc;
}

static bool exchange_keys(struct handshake_conductor *h, struct message_challenge *challenge,
			  struct handshake_conductor_effect *out)
{
	const struct handshake_facts facts = facts_of(h);
	int rc = handshake_exchange_keys(&facts, &h->transcript, challenge,
					 h->enrolment.key_exchange, &out->err);

	if (rc == -EACCES && handshake_exchange_may_tell(&facts))
		end_handshake(h, REASON_POST_QUANTUM, out);
	else if (rc < 0)
		end_failed(h, rc, out);
	return rc == 0;
}

/* looked up -> challenge(2) */
static void looked_up(struct handshake_conductor *h, const struct handshake_conductor_event *event,
		      struct handshake_conductor_effect *out)
{
	struct message m = {.type = MESSAGE_CHALLENGE};
	int rc = check_hello(h, event, &out->err);

	if (rc < 0) {
		end_failed(h, rc, out);
		return;
	}
	if (!exchange_keys(h, &m.challenge, out))
		return;
	memcpy(m.challenge.nonce, event->nonce, sizeof(m.challenge.nonce));
	m.challenge.mode = h->candidate.claims.mode;
	m.challenge.identity = h->identity;
	(void)send_message(h, &m, HANDSHAKE_CONDUCTOR_CHALLENGED, out);
}

/* false = it is another device, and the handshake ended. */
static bool check_pin(struct handshake_conductor *h, struct handshake_conductor_effect *out)
{
	if (handshake_check_pin(&h->candidate, &h->enrolment.pin, &out->err) == 0)
		return true;
	out->alert = true;
	end_handshake(h, REASON_REFUSED, out);
	return false;
}

static void send_accept(struct handshake_conductor *h, struct handshake_conductor_effect *out)
{
	const struct message m = {.type = MESSAGE_ACCEPT, .accept = h->conductors};

	(void)send_message(h, &m, HANDSHAKE_CONDUCTOR_ACCEPTED, out);
}

static int make_credential(struct handshake_conductor *h, const struct message_proof *proof,
			   struct message_credential *ret, struct err *err)
{
	struct span secret = span_of(h->secret, sizeof(h->secret));
	const struct handshake_facts facts = facts_of(h);
	int rc = handshake_check_ek(&facts, proof, &h->enrolment.pin, &h->ak, err);

	if (rc == 0)
		rc = credential_make(ret, proof, h->ak.name, secret, err);
	if (proof->ek_certificate.size > 0)
		h->enrolment.certified_ek = proof->ek;
	if (rc == 0 && transcript_set_tpm_secret(&h->transcript, secret) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	return rc;
}

/* proof(3) with an EK -> credential(4) */
static void shown_ek(struct handshake_conductor *h, const struct message_proof *proof,
		     struct handshake_conductor_effect *out)
{
	struct message m = {.type = MESSAGE_CREDENTIAL};
	int rc = make_credential(h, proof, &m.credential, &out->err);

	if (rc < 0) {
		end_failed(h, rc, out);
		return;
	}
	if (!send_message(h, &m, HANDSHAKE_CONDUCTOR_CREDITING, out))
		return;
	if (transcript_quote_data(&h->transcript, h->quote_data) < 0) {
		(void)err_set(&out->err, -ENOMEM, "out of memory");
		end_handshake(h, REASON_RETRY_LATER, out);
	}
}

/* proof(3) -> credential(4) where an EK is asked for, else accept(6) */
static void proved(struct handshake_conductor *h, const struct message *m,
		   struct handshake_conductor_effect *out)
{
	int rc = handshake_check_proof(h->identity, &m->proof, &out->err);

	if (rc < 0) {
		end_failed(h, rc, out);
		return;
	}
	if (m->proof.with_ek) {
		shown_ek(h, &m->proof, out);
		return;
	}
	if (h->identity == IDENTITY_CERTIFICATE) {
		const struct handshake_facts facts = facts_of(h);

		rc = handshake_check_certificate(&facts, &h->enrolment.pin, &out->err);
		if (rc < 0) {
			end_failed(h, rc, out);
			return;
		}
		if (!check_pin(h, out))
			return;
	}
	send_accept(h, out);
}

/* attestation(5) -> accept(6) */
static void attested(struct handshake_conductor *h, const struct message *m,
		     struct handshake_conductor_effect *out)
{
	int rc = credential_check_quote(&h->ak, &m->attestation,
					span_of(h->quote_data, sizeof(h->quote_data)), &out->err);

	if (rc < 0) {
		end_failed(h, rc, out);
		return;
	}
	memcpy(h->enrolment.pcrs, m->attestation.pcrs, sizeof(h->enrolment.pcrs));
	h->enrolment.has_pcrs = true;
	if (check_pin(h, out))
		send_accept(h, out);
}

/* Without anything else to know it by, a router is known by its SSH key. */
/* keys(7) -> commit it to the registry */
static void keyed(struct handshake_conductor *h, const struct message *m,
		  struct handshake_conductor_effect *out)
{
	int rc = 0;

	memcpy(h->enrolment.ssh_key, m->keys.ssh_key, sizeof(h->enrolment.ssh_key));
	if (h->enrolment.pin.kind == REGISTRY_PIN_NONE)
		rc = handshake_pin_ssh_key(span_of(m->keys.ssh_key, sizeof(m->keys.ssh_key)),
					   &h->enrolment.pin, &out->err);
	if (rc < 0) {
		end_failed(h, rc, out);
		return;
	}
	if (!check_pin(h, out))
		return;
	set_state(h, HANDSHAKE_CONDUCTOR_COMMITTING);
	out->type = CONDUCTOR_COMMIT;
}

/* committed -> done(8) */
static void committed(struct handshake_conductor *h, struct handshake_conductor_effect *out)
{
	const struct message m = {.type = MESSAGE_DONE};

	if (send_message(h, &m, HANDSHAKE_CONDUCTOR_ENROLLED, out))
		out->type = CONDUCTOR_ENROLLED;
}

/* Which message is awaited; false = none: it is not the router's turn. */
static bool awaited(enum handshake_conductor_state state, enum message_type *ret)
{
	switch (state) {
	case HANDSHAKE_CONDUCTOR_EXPECTING:
		*ret = MESSAGE_HELLO;
		return true;
	case HANDSHAKE_CONDUCTOR_CHALLENGED:
		*ret = MESSAGE_PROOF;
		return true;
	case HANDSHAKE_CONDUCTOR_CREDITING:
		*ret = MESSAGE_ATTESTATION;
		return true;
	case HANDSHAKE_CONDUCTOR_ACCEPTED:
		*ret = MESSAGE_KEYS;
		return true;
	default:
		return false;
	}
}

static void handle_message(struct handshake_conductor *h, const struct message *m,
			   struct handshake_conductor_effect *out)
{
	switch (m->type) {
	case MESSAGE_HELLO:
		greeted(h, m, out);
		return;
	case MESSAGE_PROOF:
		proved(h, m, out);
		return;
	case MESSAGE_ATTESTATION:
		attested(h, m, out);
		return;
	case MESSAGE_KEYS:
		keyed(h, m, out);
		return;
	default:
		(void)err_set(&out->err, -EACCES, "the router gave up: %s",
			      message_reason_name(m->reason));
		end_handshake(h, REASON_REFUSED, out);
		return;
	}
}

static void received(struct handshake_conductor *h, struct span bytes,
		     struct handshake_conductor_effect *out)
{
	_cleanup_(message_release) struct message m = {0};
	enum message_type expected;
	int rc;

	if (!awaited(h->state, &expected)) {
		(void)err_set(&out->err, -EPROTO, "spoke out of turn, while %s",
			      handshake_conductor_state_name(h->state));
		end_handshake(h, REASON_REFUSED, out);
		return;
	}
	rc = frame_read(&m, &h->transcript, expected, bytes, &out->err);
	if (rc == -EAGAIN)
		return;
	if (rc < 0)
		end_failed(h, rc, out);
	else
		handle_message(h, &m, out);
}

void handshake_conductor_step(struct handshake_conductor *h,
			      const struct handshake_conductor_event *event,
			      struct handshake_conductor_effect *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (handshake_conductor_state_is_end(h->state))
		return;
	switch (event->type) {
	case CONDUCTOR_RECEIVED:
		received(h, event->received, ret);
		return;
	case CONDUCTOR_LOOKED_UP:
		assert(h->state == HANDSHAKE_CONDUCTOR_LOOKING_UP);
		looked_up(h, event, ret);
		return;
	case CONDUCTOR_COMMITTED:
		assert(h->state == HANDSHAKE_CONDUCTOR_COMMITTING);
		committed(h, ret);
		return;
	case CONDUCTOR_DENIED:
		assert(h->state == HANDSHAKE_CONDUCTOR_COMMITTING);
		(void)err_set(&ret->err, -EACCES, "%s", event->reason);
		ret->alert = event->pinned_otherwise;
		end_handshake(h, REASON_REFUSED, ret);
		return;
	case CONDUCTOR_FAILED:
		(void)err_set(&ret->err, -EIO, "%s", event->reason);
		end_handshake(h, REASON_RETRY_LATER, ret);
		return;
	}
}
