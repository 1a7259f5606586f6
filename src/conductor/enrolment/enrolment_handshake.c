#include "conductor/enrolment/enrolment_handshake.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/enrolment/handshake_registry.h"

/* What the registry has answered. */
struct enrolment_lookup {
	struct handshake_record record;
	struct message_accept conductors;
	int rc; /* negative errno: it could not be asked */
	struct err err;
};

static void release_lookup(struct enrolment_handshake *h)
{
	if (!h->lookup)
		return;
	handshake_record_release(&h->lookup->record);
	free(h->lookup->conductors.conductors);
	free(h->lookup);
	h->lookup = NULL;
}

void enrolment_handshake_open(struct enrolment_handshake *h,
			      const struct enrolment_context *context, struct tls_channel *channel,
			      const char *address)
{
	memset(h, 0, sizeof(*h));
	h->context = context;
	h->channel = channel;
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
	explicit_bzero(h, sizeof(*h));
}

static void end_handshake(struct enrolment_handshake *h, enum enrolment_outcome outcome)
{
	h->outcome = outcome;
	tls_channel_shut(h->channel);
}

/* The peer is none of ours, or broke off. */
static void end_refused(struct enrolment_handshake *h)
{
	end_handshake(h, h->verified ? ENROLMENT_REFUSED : ENROLMENT_STRANGER);
}

/* First TLS. */

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
		.client_chain = h->chain,
		.n_client_chain = tls_channel_peer_chain(h->channel, h->chain),
	};
	int rc = tls_channel_export(h->channel, setup.exporter, &h->err);

	if (rc == 0)
		rc = make_steps(h, &setup);
	return rc;
}

static int establish_tls(struct enrolment_handshake *h)
{
	int rc = tls_channel_advance(h->channel, &h->err);

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
		(void)tls_channel_write(h->channel,
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
		if (tls_channel_write(h->channel, span_of(effect->frame.bytes, effect->frame.size),
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

void enrolment_handshake_look_up(struct enrolment_handshake *h)
{
	const struct enrolment_context *context = h->context;
	const struct span certificate =
		span_of(context->identity.certificate, context->identity.certificate_size);
	struct enrolment_lookup *lookup = calloc(1, sizeof(*lookup));

	h->lookup = lookup;
	if (!lookup)
		return;
	lookup->rc = handshake_registry_look_up(context->registry, &h->steps->hello, certificate,
						time(NULL), &lookup->record, &lookup->err);
	if (lookup->rc == 0 && lookup->record.known)
		lookup->rc = handshake_registry_list_conductors(
			context->registry, lookup->record.listen_port, context->repository_port,
			&lookup->conductors, &lookup->err);
}

static void tell_looked_up(struct enrolment_handshake *h, const struct enrolment_lookup *lookup)
{
	struct handshake_conductor_event event = {
		.type = CONDUCTOR_LOOKED_UP,
		.record = &lookup->record,
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

/* All that has come of the present message; the steps know when it is whole. One byte more than a
 * message may have tells that it is too long. */
static int read_more(struct enrolment_handshake *h)
{
	const size_t room = FRAME_SIZE_MAX - MESSAGE_JSON_MAX + h->context->message_max + 1;
	size_t n = 0;
	int rc;

	if (h->n_received >= room)
		return err_set(&h->err, -EMSGSIZE, "a message of more than %zu bytes",
			       h->context->message_max);
	rc = tls_channel_read(h->channel, *h->received + h->n_received, room - h->n_received, &n,
			      &h->err);
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

void enrolment_handshake_go_on(struct enrolment_handshake *h)
{
	if (!h->established && establish_tls(h) < 0)
		return;
	if (h->waits == ENROLMENT_FOR_LOOKUP)
		hand_over_lookup(h);
	receive_all(h);
}

void enrolment_handshake_break(struct enrolment_handshake *h, const char *why)
{
	if (h->outcome != ENROLMENT_UNDER_WAY)
		return;
	(void)err_set(&h->err, -ECONNRESET, "%s", why);
	end_refused(h);
}
