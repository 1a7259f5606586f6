/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "handshake_world.h"
#include "faults.h"
#include "sample_message.h"
#include "support.h"

#include <openssl/pem.h>
#include <time.h>

#include "base/macros.h"

static struct span certificate(const struct pki_subject *subject, const struct world_keys *keys,
			       bool by_ca)
{
	X509 *made = pki_certificate(subject, keys->device_key, by_ca ? keys->pki->ca : NULL,
				     keys->pki->ca_key);
	struct span der = pki_der(made);

	X509_free(made);
	return der;
}

static struct span ek_certificate(const struct world_keys *keys)
{
	static const struct pki_subject subject = {.common_name = "EK",
						   .extended_usage = "2.23.133.8.1",
						   .expires_s = 43200}; /* before the token */
	X509 *certificate = pki_certificate_for(&subject, "critical,keyEncipherment", keys->tpm.ek,
						keys->pki->ca, keys->pki->ca_key);
	struct span der = pki_der(certificate);

	X509_free(certificate);
	return der;
}

static void load_device_ca(struct world_keys *keys)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "ca.pem");
	FILE *file = fopen(path, "we");

	assert_int_equal(PEM_write_X509(file, keys->pki->ca), 1);
	(void)fclose(file);
	assert_int_equal(device_ca_load(&keys->device_ca, path, NULL, NULL), 0);
	test_folder_remove(folder);
}

int world_keys_make(void **state)
{
	static const struct pki_subject device = {"router", {"A0"}, "clientAuth", false, 0};
	static const struct pki_subject other = {"router", {"A1"}, "clientAuth", false, 0};
	static const struct pki_subject self = {.common_name = "self"};
	struct world_keys *keys = calloc(1, sizeof(*keys));

	assert_non_null(keys);
	(void)pki_make((void **)&keys->pki);
	soft_tpm_init(&keys->tpm);
	soft_tpm_init(&keys->other_tpm);
	keys->device_key = pki_key(2048);
	keys->device = certificate(&device, keys, true);
	keys->other_device = certificate(&other, keys, true);
	keys->self_signed = certificate(&self, keys, false);
	keys->ek_certificate = ek_certificate(keys);
	load_device_ca(keys);
	keys->key.key = keys->pki->key;
	keys->iat = (uint64_t)time(NULL);
	*state = keys;
	return 0;
}

int world_keys_end(void **state)
{
	struct world_keys *keys = *state;
	void *pki = keys->pki;

	pki_der_free(&keys->device);
	pki_der_free(&keys->other_device);
	pki_der_free(&keys->self_signed);
	pki_der_free(&keys->ek_certificate);
	device_ca_release(&keys->device_ca);
	soft_tpm_release(&keys->tpm);
	soft_tpm_release(&keys->other_tpm);
	EVP_PKEY_free(keys->device_key);
	(void)pki_end(&pki);
	free(keys);
	return 0;
}

static void make_token(struct world *w)
{
	static const char *const asset_ids[] = {"A0", "A1"};
	const struct token_claims claims = {
		.jti = WORLD_JTI,
		.router = "router1",
		.asset_ids = asset_ids,
		.n_asset_ids = 2,
		.iat = w->keys->iat,
		.exp = w->keys->iat + 86400,
		.conductor_certificate = w->keys->pki->der,
		.ca_certificate = w->keys->pki->ca_der,
		.secret = span_of_string(WORLD_SECRET),
	};
	struct err err = {0};
	char *text = NULL;

	assert_int_equal(token_sign(&claims, &w->keys->key, &text, &err), 0);
	if (token_parse(&w->token, span_of_string(text), &err) < 0)
		fail_msg("%s", err.text);
	token_text_free(&text);
}

static void make_candidate(struct world *w, enum onboarding_mode mode,
			   enum message_identity identity)
{
	struct registry_candidate *candidate = &w->candidate;
	struct registry_claims *claims = &candidate->claims;
	struct message_bytes ek = {0};

	(void)strcpy(claims->router, "router1");
	(void)strcpy(candidate->node, "node0");
	claims->mode = mode;
	memcpy(claims->secret, WORLD_SECRET, TOKEN_SECRET_SIZE);
	(void)strcpy(claims->asset_ids[0], "A1");
	(void)strcpy(claims->asset_ids[1], "A0");
	claims->n_asset_ids = 2;
	candidate->token_is_known = true;
	if (identity == IDENTITY_EK)
		soft_tpm_read_ek(&w->keys->tpm, &ek);
	candidate->endorsement_key_size = ek.size;
	memcpy(candidate->endorsement_key, ek.bytes, ek.size);
}

void world_init(struct world *w, const struct world_keys *keys, enum onboarding_mode mode,
		enum message_identity identity)
{
	memset(w, 0, sizeof(*w));
	w->keys = keys;
	make_token(w);
	make_candidate(w, mode, identity);
	w->now_s = keys->iat + 60;
	w->tpm = keys->tpm;
	soft_tpm_read_ek(&keys->tpm, &w->shown_ek);
	sample_ssh_key(w->ssh_key, 7);
	if (identity == IDENTITY_CERTIFICATE)
		w->client_chain[0] = mode == ONBOARDING_WEAK ? keys->self_signed : keys->device;
	w->router_setup = (struct handshake_router_setup){
		.token = &w->token,
		.asset_id = "A0",
		.minimum_mode = mode,
		.nonce = {1},
		.exporter = {2},
		.version = 2,
		.group = "p-256",
		.conductor_certificate = keys->pki->der,
		.client_certificate = w->client_chain[0],
	};
	w->conductor_setup = (struct handshake_conductor_setup){
		.exporter = {2},
		.conductor_certificate = keys->pki->der,
		.ca_certificate = keys->pki->ca_der,
		.key = &keys->key,
		.endorsement_ca = identity == IDENTITY_EK_CERTIFICATE ? &keys->device_ca : NULL,
		.device_ca = &keys->device_ca,
		.version = 2,
		.group = "p-256",
		.client_chain = w->client_chain,
		.n_client_chain = identity == IDENTITY_CERTIFICATE,
	};
}

void world_release(struct world *w)
{
	for (unsigned i = 0; i < N_ELEMENTS(w->sent); i++)
		frame_release(&w->sent[i]);
	token_release(&w->token);
}

void world_set_frame(struct frame *frame, const void *json, size_t size, const uint8_t *mac)
{
	size_t mac_size = mac ? TRANSCRIPT_SIZE : 0;

	free(frame->bytes);
	frame->size = 4 + size + mac_size;
	frame->bytes = malloc(frame->size);
	assert_non_null(frame->bytes);
	memcpy(frame->bytes,
	       (const uint8_t[]){0, (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size}, 4);
	memcpy(frame->bytes + 4, json, size);
	if (mac)
		memcpy(frame->bytes + 4 + size, mac, mac_size);
}

/* Around each step: memory may run out in one of them. */
static void begin_step(struct world *w)
{
	if (++w->n_steps == w->fault_step)
		faults_fail_allocation(w->fault_n);
}

static void end_step(struct world *w)
{
	if (w->n_steps == w->fault_step)
		w->fault_had_effect = faults_had_effect();
}

static void step_router(struct world *w, struct handshake_router *router,
			const struct handshake_router_event *event,
			struct handshake_router_effect *effect)
{
	begin_step(w);
	handshake_router_step(router, event, effect);
	end_step(w);
}

static void step_conductor(struct world *w, struct handshake_conductor *conductor,
			   const struct handshake_conductor_event *event,
			   struct handshake_conductor_effect *effect)
{
	begin_step(w);
	handshake_conductor_step(conductor, event, effect);
	end_step(w);
}

static bool fails(const struct world *w, const char *effect)
{
	return w->failed && strcmp(w->failed, effect) == 0;
}

/* What the router's driver owes for an effect; false = nothing. */
static bool answer_router(struct world *w, const struct handshake_router_effect *effect,
			  struct handshake_router_event *event, uint8_t secret[32],
			  struct message_attestation *attestation)
{
	static const uint8_t other[32] = {0xff};
	struct span extra = span_of(w->quote_other_data ? other : effect->quote_data, 32);

	memset(event, 0, sizeof(*event));
	event->reason = "the TPM is on fire";
	switch (effect->type) {
	case ROUTER_VERIFY_CERTIFICATE:
		event->type = fails(w, "verify") ? ROUTER_FAILED : ROUTER_VERIFIED;
		return true;
	case ROUTER_PRESENT_EK:
		event->type = fails(w, "present") ? ROUTER_FAILED : ROUTER_PRESENTED;
		w->proof = soft_tpm_proof(&w->tpm);
		w->proof.ek = w->shown_ek;
		if (effect->with_certificate) {
			w->proof.ek_certificate.size = w->keys->ek_certificate.size;
			memcpy(w->proof.ek_certificate.bytes, w->keys->ek_certificate.bytes,
			       w->keys->ek_certificate.size);
		}
		event->proof = &w->proof;
		return true;
	case ROUTER_ACTIVATE:
		/* A thief without the TPM goes on with a guess. */
		memset(secret, 0, 32);
		(void)soft_tpm_activate(&w->tpm, effect->credential, secret);
		event->type = fails(w, "activate") ? ROUTER_FAILED : ROUTER_ACTIVATED;
		event->secret = span_of(secret, 32);
		return true;
	case ROUTER_QUOTE:
		soft_tpm_quote(&w->tpm, &w->quote, extra, attestation);
		event->type = fails(w, "quote") ? ROUTER_FAILED : ROUTER_QUOTED;
		event->attestation = attestation;
		return true;
	case ROUTER_STORE_KEY:
		event->type = fails(w, "store") ? ROUTER_FAILED : ROUTER_STORED;
		event->ssh_key = span_of(w->ssh_key, sizeof(w->ssh_key));
		return true;
	default:
		return false;
	}
}

static void perform_router(struct world *w, struct handshake_router *router,
			   struct handshake_router_effect *effect)
{
	struct message_attestation attestation;
	struct handshake_router_event event;
	uint8_t secret[32];

	while (answer_router(w, effect, &event, secret, &attestation))
		step_router(w, router, &event, effect);
	w->router_end = effect->type;
	if (effect->type == ROUTER_RETRY || effect->type == ROUTER_REFUSE)
		w->router_err = effect->err;
	if (effect->type == ROUTER_ENROL) {
		w->n_conductors = effect->accept->n_conductors;
		memcpy(w->router_key_exchange, router->key_exchange, KEY_EXCHANGE_SIZE);
	}
}

static void answer_look_up(const struct world *w, const struct message_accept *conductors,
			   struct handshake_conductor_event *event)
{
	event->type = CONDUCTOR_LOOKED_UP;
	event->candidate = &w->candidate;
	event->clock_set_back = w->clock_set_back;
	event->conductors = conductors;
	event->now_s = w->now_s;
	event->nonce[0] = 3;
	event->secret[0] = 4;
}

static void answer_commit(struct world *w, const struct handshake_conductor *conductor,
			  struct handshake_conductor_event *event)
{
	event->type = CONDUCTOR_COMMITTED;
	if (w->ends_in_commit) {
		event->type = CONDUCTOR_FAILED;
		event->reason = "the registry is gone";
	} else if (w->denied) {
		event->type = CONDUCTOR_DENIED;
		event->reason = w->denied;
		event->pinned_otherwise = w->denied_as_other_device;
	} else {
		w->n_enrolled++;
		w->enrolment = conductor->enrolment;
	}
}

static void perform_conductor(struct world *w, struct handshake_conductor *conductor,
			      struct handshake_conductor_effect *effect)
{
	struct message accept = sample_message(MESSAGE_ACCEPT);

	while (effect->type == CONDUCTOR_LOOK_UP || effect->type == CONDUCTOR_COMMIT) {
		struct handshake_conductor_event event = {0};

		if (effect->type == CONDUCTOR_LOOK_UP)
			answer_look_up(w, &accept.accept, &event);
		else
			answer_commit(w, conductor, &event);
		step_conductor(w, conductor, &event, effect);
	}
	message_release(&accept);
	w->conductor_end = effect->type;
	if (effect->type == CONDUCTOR_REFUSED || effect->type == CONDUCTOR_RETRY_LATER) {
		w->conductor_err = effect->err;
		w->alert = effect->alert;
	}
	w->verified = handshake_conductor_is_verified(conductor);
}

/* Keep what was sent, and let the one between have it. */
static void carry(struct world *w, struct frame *frame)
{
	struct frame *kept = &w->sent[++w->n_sent];

	assert_true(w->n_sent < N_ELEMENTS(w->sent));
	kept->size = frame->size;
	kept->bytes = malloc(frame->size);
	assert_non_null(kept->bytes);
	memcpy(kept->bytes, frame->bytes, frame->size);
	if (w->tamper)
		w->tamper(w, w->n_sent, frame);
}

/* The router's frame to the conductor, and its answer to the router; false = nothing more. */
static bool exchange(struct world *w, struct handshake_router *router,
		     struct handshake_conductor *conductor, struct handshake_router_effect *said)
{
	struct handshake_conductor_event heard = {.type = CONDUCTOR_RECEIVED};
	struct handshake_router_event answered = {.type = ROUTER_RECEIVED};
	struct handshake_conductor_effect answer;

	if (!said->frame.bytes)
		return false;
	carry(w, &said->frame);
	heard.received = span_of(said->frame.bytes, said->frame.size);
	step_conductor(w, conductor, &heard, &answer);
	handshake_router_effect_release(said);
	perform_conductor(w, conductor, &answer);
	if (!answer.frame.bytes)
		return false;
	carry(w, &answer.frame);
	answered.received = span_of(answer.frame.bytes, answer.frame.size);
	step_router(w, router, &answered, said);
	handshake_conductor_effect_release(&answer);
	perform_router(w, router, said);
	return true;
}

void world_run(struct world *w)
{
	struct handshake_router router;
	struct handshake_conductor conductor;
	struct handshake_router_effect said;
	struct err err = {0};

	if (handshake_router_init(&router, &w->router_setup, &err) < 0)
		fail_msg("%s", err.text);
	if (w->lies_about_certificate)
		router.offer.has_certificate = true;
	assert_int_equal(handshake_conductor_init(&conductor, &w->conductor_setup, &err), 0);
	handshake_router_begin(&router, &said);
	perform_router(w, &router, &said);
	while (exchange(w, &router, &conductor, &said))
		;
	handshake_router_release(&router);
	handshake_conductor_release(&conductor);
}
