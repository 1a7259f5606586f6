/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/sco_steps.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "onboarding/certificate_list.h"
#include "onboarding/conductor_certificate.h"
#include "onboarding/router/ssh_identity.h"

#define CERTIFICATES_SIZE_MAX (256u << 10)

/* Our certificate: its key is in the TPM. */

static void free_certificates(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}

static int sign(void *owner, struct span digest, uint8_t *ret, size_t *size)
{
	struct sco_steps *s = owner;
	int rc = 0;

	if (!s->identity.is_open)
		rc = tpm_identity_open(&s->identity, s->options->tcti, &s->err);
	return rc < 0 ? rc
		      : tpm_identity_sign(&s->identity, s->options->device_id_key_handle, digest,
					  ret, size, &s->err);
}

static int keep_leaf(struct sco_steps *s, X509 *leaf, struct err *err)
{
	int size = i2d_X509(leaf, NULL);
	unsigned char *at;

	s->certificate = size > 0 ? malloc((size_t)size) : NULL;
	if (!s->certificate)
		return err_set(err, -ENOMEM, "out of memory");
	at = s->certificate;
	s->certificate_size = (size_t)i2d_X509(leaf, &at);
	return 0;
}

/* The certificates of the file, the one of the TPM's key first, whichever place it has in it. */
static int read_certificates(struct sco_steps *s, const struct message_bytes *key, char **ret_pem,
			     struct err *err)
{
	const char *path = s->options->device_id_certificate;
	_cleanup_(free_certificates) STACK_OF(X509) *certificates = NULL;
	const uint8_t *at = key->bytes;
	EVP_PKEY *public = NULL;
	char *pem = NULL;
	size_t size = 0;
	int rc = file_read(path, CERTIFICATES_SIZE_MAX, &pem, &size, err);

	if (rc < 0)
		return rc;
	rc = certificate_list_read(&certificates, span_of(pem, size), err);
	free(pem);
	if (rc < 0)
		return err_wrap(err, "device-id certificate %s", path);
	public = d2i_PUBKEY(NULL, &at, (long)key->size);
	if (!public || !certificate_list_put_first(certificates, public))
		rc = err_set(err, -EINVAL,
			     "device-id certificate %s: it is not of the key at 0x%08x in the TPM",
			     path, s->options->device_id_key_handle);
	EVP_PKEY_free(public);
	if (rc == 0)
		rc = keep_leaf(s, sk_X509_value(certificates, 0), err);
	if (rc == 0 && !(*ret_pem = certificate_list_write(certificates)))
		rc = err_set(err, -ENOMEM, "out of memory");
	return rc;
}

static int open_with_certificate(struct sco_steps *s, struct err *err)
{
	struct message_bytes key = {0};
	char *pem = NULL;
	int rc = tpm_identity_open(&s->identity, s->options->tcti, err);

	if (rc == 0)
		rc = tpm_identity_public(&s->identity, s->options->device_id_key_handle, &key, err);
	if (rc == 0)
		rc = read_certificates(s, &key, &pem, err);
	if (rc == 0) {
		const struct tls_identity identity = {
			.chain = span_of_string(pem),
			.public_key = span_of(key.bytes, key.size),
			.signer = &s->signer,
		};

		rc = tls_context_new_client(&s->tls, &identity, err);
	}
	free(pem);
	return rc;
}

int sco_steps_open(struct sco_steps *s, const struct sco_steps_options *options, struct err *err)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->options = options;
	s->signer = (struct tls_signer){.sign = sign, .owner = s};
	rc = options->device_id_certificate ? open_with_certificate(s, err)
					    : tls_context_new_client(&s->tls, NULL, err);
	return rc < 0 ? rc : tls_channel_open(&s->channel, s->tls, err);
}

void sco_steps_close(struct sco_steps *s)
{
	if (s->has_handshake)
		handshake_router_release(&s->handshake);
	tpm_identity_close(&s->identity);
	tls_context_free(s->tls);
	free(s->certificate);
	explicit_bzero(s, sizeof(*s));
}

static void end_steps(struct sco_steps *s, enum sco_result result)
{
	s->over = true;
	s->result = result;
	tls_channel_shut(s->channel);
}

static int check_chain(const struct sco_steps *s, struct err *err)
{
	const struct token *token = s->options->token;

	return conductor_certificate_check(
		span_of(token->ca_certificate, token->ca_certificate_size), s->chain, s->n_chain,
		err);
}

static int begin_handshake(struct sco_steps *s, struct err *err)
{
	struct handshake_router_setup setup = {
		.token = s->options->token,
		.asset_id = s->options->asset_id,
		.minimum_mode = s->options->minimum_mode,
		.requires_post_quantum = s->options->requires_post_quantum,
		.version = tls_channel_version(s->channel),
		.group = tls_channel_group(s->channel),
		.client_certificate = span_of(s->certificate, s->certificate_size),
	};
	int rc = tls_channel_export(s->channel, setup.exporter, err);

	s->n_chain = tls_channel_peer_chain(s->channel, s->chain);
	if (rc == 0 && s->n_chain == 0)
		rc = err_set(err, -EPROTO, "the conductor showed no certificate");
	if (rc == 0 && RAND_bytes(setup.nonce, sizeof(setup.nonce)) != 1)
		rc = err_set(err, -EIO, "OpenSSL gives no random bytes");
	if (rc == 0 && kem_is_there()) {
		setup.has_kem = true;
		rc = kem_generate(setup.kem_seed, setup.kem_key, err);
	}
	if (rc == 0) {
		setup.conductor_certificate = s->chain[0];
		rc = handshake_router_init(&s->handshake, &setup, err);
		s->has_handshake = rc == 0;
	}
	OPENSSL_cleanse(&setup, sizeof(setup));
	return rc;
}

/* The memory for the bytes of an event that answers an effect. */
struct answer {
	struct message_proof proof;
	struct message_bytes secret;
	struct message_attestation attestation;
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
	struct err err;
};

static int present(struct sco_steps *s, const struct handshake_router_effect *effect,
		   struct answer *a, struct handshake_router_event *event)
{
	int rc = 0;

	if (!s->identity.is_open)
		rc = tpm_identity_open(&s->identity, s->options->tcti, &a->err);
	if (rc == 0)
		rc = tpm_identity_present(&s->identity, s->options->ek_handle,
					  effect->with_certificate, &a->proof, &a->err);
	event->type = ROUTER_PRESENTED;
	event->proof = &a->proof;
	return rc;
}

static int activate(struct sco_steps *s, const struct handshake_router_effect *effect,
		    struct answer *a, struct handshake_router_event *event)
{
	int rc = tpm_identity_activate(&s->identity, effect->credential, &a->secret, &a->err);

	event->type = ROUTER_ACTIVATED;
	event->secret = span_of(a->secret.bytes, a->secret.size);
	return rc;
}

static int quote(struct sco_steps *s, const struct handshake_router_effect *effect,
		 struct answer *a, struct handshake_router_event *event)
{
	event->type = ROUTER_QUOTED;
	event->attestation = &a->attestation;
	return tpm_identity_quote(&s->identity,
				  span_of(effect->quote_data, sizeof(effect->quote_data)),
				  &a->attestation, &a->err);
}

static int store_key(struct sco_steps *s, struct answer *a, struct handshake_router_event *event)
{
	event->type = ROUTER_STORED;
	event->ssh_key = span_of(a->ssh_key, sizeof(a->ssh_key));
	return ssh_identity_provide(s->options->ssh_key_file, a->ssh_key, &a->err);
}

static int send_frame(struct sco_steps *s, const struct frame *frame)
{
	s->n_received = 0;
	return tls_channel_write(s->channel, span_of(frame->bytes, frame->size), &s->err);
}

static void end_by_effect(struct sco_steps *s, const struct handshake_router_effect *effect)
{
	s->err = effect->err;
	if (effect->type == ROUTER_ENROL)
		end_steps(s, SCO_RESULT_ENROLLED);
	else
		end_steps(s, effect->type == ROUTER_REFUSE ? SCO_RESULT_REFUSED : SCO_RESULT_RETRY);
}

/* Returns whether *event is to be told at once. */
static bool perform(struct sco_steps *s, const struct handshake_router_effect *effect,
		    struct answer *a, struct handshake_router_event *event)
{
	int rc;

	*event = (struct handshake_router_event){.type = ROUTER_VERIFIED};
	switch (effect->type) {
	case ROUTER_WAIT:
		return false;
	case ROUTER_SEND:
		if (send_frame(s, &effect->frame) < 0)
			end_steps(s, SCO_RESULT_RETRY);
		return false;
	case ROUTER_VERIFY_CERTIFICATE:
		rc = check_chain(s, &a->err);
		break;
	case ROUTER_PRESENT_EK:
		rc = present(s, effect, a, event);
		break;
	case ROUTER_ACTIVATE:
		rc = activate(s, effect, a, event);
		break;
	case ROUTER_QUOTE:
		rc = quote(s, effect, a, event);
		break;
	case ROUTER_STORE_KEY:
		rc = store_key(s, a, event);
		break;
	default:
		end_by_effect(s, effect);
		return false;
	}
	if (rc < 0)
		*event = (struct handshake_router_event){.type = ROUTER_FAILED,
							 .reason = a->err.text};
	return true;
}

/* Performs the effect, tells its event, and goes on with the effect of that, until there is
 * nothing to tell. */
static void follow(struct sco_steps *s, struct handshake_router_effect *effect)
{
	struct answer *answer = calloc(1, sizeof(*answer));
	struct handshake_router_event event;
	bool more = answer != NULL;

	if (!answer)
		end_steps(s, SCO_RESULT_RETRY);
	while (more) {
		more = perform(s, effect, answer, &event);
		handshake_router_effect_release(effect);
		*effect = (struct handshake_router_effect){0};
		if (more)
			handshake_router_step(&s->handshake, &event, effect);
	}
	if (answer) {
		free(answer->proof.ek_chain);
		explicit_bzero(answer, sizeof(*answer));
	}
	free(answer);
}

static int establish(struct sco_steps *s)
{
	struct handshake_router_effect effect = {0};
	int rc = tls_channel_advance(s->channel, &s->err);

	if (rc == 0)
		rc = begin_handshake(s, &s->err);
	s->established = rc == 0;
	if (rc == 0) {
		handshake_router_begin(&s->handshake, &effect);
		follow(s, &effect);
	}
	return rc;
}

static int read_more(struct sco_steps *s)
{
	size_t n = 0;
	int rc = -EMSGSIZE;

	if (s->n_received < sizeof(s->received))
		rc = tls_channel_read(s->channel, s->received + s->n_received,
				      sizeof(s->received) - s->n_received, &n, &s->err);
	s->n_received += n;
	return rc;
}

static void go_on(struct sco_steps *s)
{
	int rc = s->established ? 0 : establish(s);

	while (rc == 0 && !s->over) {
		struct handshake_router_event event = {.type = ROUTER_RECEIVED};
		struct handshake_router_effect effect = {0};

		rc = read_more(s);
		if (rc < 0)
			break;
		event.received = span_of(s->received, s->n_received);
		handshake_router_step(&s->handshake, &event, &effect);
		follow(s, &effect);
	}
	if (s->over || rc == -EAGAIN)
		return;
	if (rc == -EPIPE)
		(void)err_set(&s->err, rc, "the conductor ended the connection");
	if (rc == -EMSGSIZE)
		(void)err_set(&s->err, rc, "the conductor's message is too long");
	end_steps(s, SCO_RESULT_RETRY);
}

void sco_steps_go_on(struct tls_session *session)
{
	struct sco_steps *s = container_of(session, struct sco_steps, session);

	go_on(s);
	session->over = s->over;
}
