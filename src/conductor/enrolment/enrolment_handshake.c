/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_handshake.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"

static void release_lookup(struct enrolment_handshake *h)
{
	if (!h->lookup)
		return;
	registry_candidate_release(&h->lookup->candidate);
	free(h->lookup->conductors.conductors);
	free(h->lookup);
	h->lookup = NULL;
}

void enrolment_handshake_open(struct enrolment_handshake *h,
			      const struct enrolment_context *context, const char *address)
{
	h->context = context;
	(void)snprintf(h->address, sizeof(h->address), "%s", address);
}

void enrolment_handshake_close(struct enrolment_handshake *h)
{
	if (h->steps)
		handshake_conductor_release(h->steps);
	free(h->steps);
	release_lookup(h);
	if (h->received)
		explicit_bzero(h->received, sizeof(*h->received));
	free(h->received);
	h->steps = NULL;
	h->received = NULL;
}

static void end_handshake(struct enrolment_handshake *h, enum enrolment_outcome outcome)
{
	h->outcome = outcome;
	tls_channel_shut(h->tls.channel);
}

/* Ends the handshake as refused: the peer is none of our routers, or broke off. */
static void end_refused(struct enrolment_handshake *h)
{
	end_handshake(h, h->verified ? ENROLMENT_REFUSED : ENROLMENT_STRANGER);
}

/* First, the TLS connection is established. */

static int make_steps(struct enrolment_handshake *h, const struct handshake_conductor_setup *setup)
{
	struct handshake_conductor *steps = calloc(1, sizeof(*steps));
	int rc = steps ? handshake_conductor_init(steps, setup, &h->err) : -ENOMEM;

	if (rc == 0)
		h->steps = steps;
	else
		free(steps);
	h->received = rc == 0 ? calloc(1, sizeof(*h->received)) : NULL;
	return h->received ? 0 : err_set(&h->err, -ENOMEM, "out of memory");
}

static int begin_steps(struct enrolment_handshake *h)
{
	const struct enrolment_context *context = h->context;
	struct handshake_conductor_setup setup = {
		.conductor_certificate =
			span_of(context->identity.certificate, context->identity.certificate_size),
		.ca_certificate = span_of(context->identity.ca_certificate,
					  context->identity.ca_certificate_size),
		.key = &context->identity.key,
		.device_ca = context->has_device_ca ? &context->device_ca : NULL,
		.endorsement_ca = context->has_endorsement_ca ? &context->endorsement_ca : NULL,
		.client_chain = h->chain,
		.n_client_chain = tls_channel_peer_chain(h->tls.channel, h->chain),
		.version = tls_channel_version(h->tls.channel),
		.group = tls_channel_group(h->tls.channel),
		.requires_post_quantum = context->requires_post_quantum,
	};
	int rc = tls_channel_export(h->tls.channel, setup.exporter, &h->err);

	if (rc == 0)
		rc = make_steps(h, &setup);
	return rc;
}

static int establish_tls(struct enrolment_handshake *h)
{
	int rc = tls_channel_advance(h->tls.channel, &h->err);

	if (rc == 0)
		rc = begin_steps(h);
	if (rc < 0 && rc != -EAGAIN)
		end_refused(h);
	h->established = rc == 0;
	return rc;
}

/* The pure steps are told what happened, and what they ask for is done. */

static void send_last_frame(struct enrolment_handshake *h,
			    const struct handshake_conductor_effect *effect)
{
	if (effect->frame.size > 0)
		(void)tls_channel_write(h->tls.channel,
					span_of(effect->frame.bytes, effect->frame.size), NULL);
	h->err = effect->err;
	h->alert = effect->alert;
	if (effect->type == CONDUCTOR_ENROLLED)
		end_handshake(h, ENROLMENT_ENROLLED);
	else if (effect->type == CONDUCTOR_RETRY_LATER)
		end_handshake(h, ENROLMENT_RETRY_LATER);
	else
		end_refused(h);
}

static void perform_effect(struct enrolment_handshake *h,
			   const struct handshake_conductor_effect *effect)
{
	switch (effect->type) {
	case CONDUCTOR_WAIT:
		return;
	case CONDUCTOR_SEND:
		h->n_received = 0;
		if (tls_channel_write(h->tls.channel,
				      span_of(effect->frame.bytes, effect->frame.size),
				      &h->err) < 0)
			end_refused(h);
		return;
	case CONDUCTOR_LOOK_UP:
		h->waits = ENROLMENT_FOR_LOOKUP;
		return;
	case CONDUCTOR_COMMIT:
		h->waits = ENROLMENT_FOR_COMMIT;
		return;
	default:
		send_last_frame(h, effect);
	}
}

static void tell_steps(struct enrolment_handshake *h, const struct handshake_conductor_event *event)
{
	struct handshake_conductor_effect effect = {0};

	handshake_conductor_step(h->steps, event, &effect);
	h->verified = handshake_conductor_is_verified(h->steps);
	perform_effect(h, &effect);
	handshake_conductor_effect_release(&effect);
}

/* What the steps asked for could not be done. */
static void tell_failed(struct enrolment_handshake *h, const char *reason)
{
	tell_steps(h, &(struct handshake_conductor_event){
			      .type = CONDUCTOR_FAILED,
			      .reason = reason,
		      });
}

/* They asked for CONDUCTOR_LOOK_UP. */

/* The conductors that the router will be told of. None is registered when the database came later
 * than this conductor: a router that is enrolled with nobody would have nowhere to go. */
static int tell_conductors(const struct enrolment_context *context, struct enrolment_lookup *lookup,
			   const struct registry_conductor *rows, size_t n)
{
	struct message_accept *ret = &lookup->conductors;
	struct conductor_list list;

	if (n == 0)
		return err_set(&lookup->err, -EAGAIN, "no conductor is registered yet");
	ret->conductors = calloc(MESSAGE_CONDUCTORS_MAX, sizeof(*ret->conductors));
	if (!ret->conductors)
		return err_set(&lookup->err, -ENOMEM, "out of memory");
	registry_conductors_tell(rows, n, lookup->candidate.listen_port, context->repository_port,
				 &list);
	for (size_t i = 0; i < list.n; i++)
		ret->conductors[ret->n_conductors++] = list.each[i].at;
	return 0;
}

/* That an asset-id is not known, or that the clock was set back, is an answer too: the steps refuse
 * in their own words. */
static int ask_registry(const struct enrolment_handshake *h, struct enrolment_lookup *lookup)
{
	_cleanup_(registry_rows_free) struct registry_conductor *rows = NULL;
	const struct enrolment_context *context = h->context;
	const struct message_hello *hello = &h->steps->hello;
	const struct registry_question question = {
		.router = hello->router,
		.asset_id = hello->asset_id,
		.jti = hello->jti,
		.certificate = h->steps->setup.conductor_certificate,
	};
	size_t n;
	int rc = registry_lookup_all(context->registry, &question, time(NULL), &lookup->candidate,
				     &rows, &n, &lookup->err);

	lookup->clock_set_back = rc == -ETIME;
	if (rc == -ENOENT || rc == -ETIME)
		return 0;
	return rc < 0 ? rc : tell_conductors(context, lookup, rows, n);
}

void enrolment_handshake_look_up(struct enrolment_handshake *h)
{
	h->lookup = calloc(1, sizeof(*h->lookup));
	if (h->lookup)
		h->lookup->rc = ask_registry(h, h->lookup);
}

static void tell_looked_up(struct enrolment_handshake *h, const struct enrolment_lookup *lookup)
{
	struct handshake_conductor_event event = {
		.type = CONDUCTOR_LOOKED_UP,
		.candidate = &lookup->candidate,
		.clock_set_back = lookup->clock_set_back,
		.conductors = &lookup->conductors,
		.now_s = (uint64_t)time(NULL),
	};

	if (RAND_priv_bytes(event.secret, sizeof(event.secret)) != 1 ||
	    RAND_bytes(event.nonce, sizeof(event.nonce)) != 1)
		tell_failed(h, "OpenSSL gives no random bytes");
	else
		tell_steps(h, &event);
}

static void hand_over_lookup(struct enrolment_handshake *h)
{
	const struct enrolment_lookup *lookup = h->lookup;

	h->waits = ENROLMENT_FOR_BYTES;
	if (!lookup)
		tell_failed(h, "out of memory");
	else if (lookup->rc < 0)
		tell_failed(h, lookup->err.text);
	else
		tell_looked_up(h, lookup);
	release_lookup(h);
}

/* They asked for CONDUCTOR_COMMIT. */

static void tell_denied(struct enrolment_handshake *h, const struct registry_decision *decision)
{
	h->denied = true;
	tell_steps(h,
		   &(struct handshake_conductor_event){
			   .type = CONDUCTOR_DENIED,
			   .reason = decision->reason,
			   .pinned_otherwise = decision->verdict == REGISTRY_VERDICT_OTHER_DEVICE,
		   });
}

void enrolment_handshake_decided(struct enrolment_handshake *h,
				 const struct registry_decision *decision, const struct err *err)
{
	h->waits = ENROLMENT_FOR_BYTES;
	if (err->code < 0)
		tell_failed(h, err->text);
	else if (registry_verdict_is_refusal(decision->verdict))
		tell_denied(h, decision);
	else
		tell_steps(h, &(struct handshake_conductor_event){.type = CONDUCTOR_COMMITTED});
}

/* They wait for bytes. */

/* Reads what has come of the present message; the steps know when it is complete. There is room
 * for one byte more than a message may have, so that a longer one is noticed. */
static int read_more(struct enrolment_handshake *h)
{
	const size_t room = FRAME_SIZE_MAX - MESSAGE_JSON_MAX + h->context->message_max + 1;
	size_t n = 0;
	int rc;

	if (h->n_received >= room)
		return err_set(&h->err, -EMSGSIZE, "a message of more than %zu bytes",
			       h->context->message_max);
	rc = tls_channel_read(h->tls.channel, *h->received + h->n_received, room - h->n_received,
			      &n, &h->err);
	h->n_received += n;
	return rc;
}

static int receive_more(struct enrolment_handshake *h)
{
	int rc = read_more(h);

	if (rc == 0)
		tell_steps(h, &(struct handshake_conductor_event){
				      .type = CONDUCTOR_RECEIVED,
				      .received = span_of(*h->received, h->n_received),
			      });
	return rc;
}

static void receive_all(struct enrolment_handshake *h)
{
	int rc = 0;

	while (rc == 0 && h->outcome == ENROLMENT_UNDER_WAY && h->waits == ENROLMENT_FOR_BYTES)
		rc = receive_more(h);
	if (rc == 0 || rc == -EAGAIN)
		return;
	if (rc == -EPIPE)
		(void)err_set(&h->err, rc, "the router ended the connection");
	end_refused(h);
}

static void go_on(struct enrolment_handshake *h)
{
	if (!h->established && establish_tls(h) < 0)
		return;
	if (h->waits == ENROLMENT_FOR_LOOKUP)
		hand_over_lookup(h);
	receive_all(h);
}

void enrolment_handshake_go_on(struct tls_session *tls)
{
	struct enrolment_handshake *h = container_of(tls, struct enrolment_handshake, tls);

	go_on(h);
	tls->over = h->outcome != ENROLMENT_UNDER_WAY;
	tls->waits = h->waits != ENROLMENT_FOR_BYTES;
}

bool enrolment_handshake_is_quick(const struct tls_session *tls)
{
	const struct enrolment_handshake *h =
		container_of(tls, const struct enrolment_handshake, tls);

	return h->verified && h->steps->identity == IDENTITY_NONE;
}

void enrolment_handshake_break(struct enrolment_handshake *h, const char *why)
{
	if (h->outcome != ENROLMENT_UNDER_WAY)
		return;
	(void)err_set(&h->err, -ECONNRESET, "%s", why);
	end_refused(h);
}
