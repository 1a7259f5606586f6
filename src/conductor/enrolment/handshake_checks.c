#include "conductor/enrolment/handshake_checks.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

static int check_node(const struct handshake_facts *facts, struct err *err)
{
	const struct message_hello *hello = facts->hello;
	const struct handshake_record *record = facts->record;

	if (record->clock_set_back)
		return err_set(err, -EACCES,
			       "this conductor's clock was set back: request "
			       "secure-conductor-onboarding reset clock");
	if (!record->known)
		return err_set(err, -EACCES, "asset-id %s is not known", hello->asset_id);
	if (strcmp(record->router, hello->router) != 0)
		return err_set(err, -EACCES, "asset-id %s is of router %s, not %s", hello->asset_id,
			       record->router, hello->router);
	if (record->mode == ONBOARDING_DISABLED)
		return err_set(err, -EACCES, "mode of router %s is disabled", record->router);
	return 0;
}

/* The token is written again from what the registry holds now. */
static int check_token(const struct handshake_facts *facts, struct err *err)
{
	const struct handshake_record *record = facts->record;
	const struct message_hello *hello = facts->hello;
	const char *asset_ids[TOKEN_ASSET_IDS_MAX];
	const struct token_claims claims = {
		.jti = hello->jti,
		.router = record->router,
		.asset_ids = asset_ids,
		.n_asset_ids = record->n_asset_ids,
		.iat = hello->iat,
		.exp = hello->exp,
		.conductor_certificate = facts->setup->conductor_certificate,
		.ca_certificate = facts->setup->ca_certificate,
		.secret = span_of(record->secret, sizeof(record->secret)),
	};
	int rc;

	for (size_t i = 0; i < record->n_asset_ids; i++)
		asset_ids[i] = record->asset_ids[i];
	rc = token_check(&claims, facts->setup->key, hello->header, hello->signature, err);
	if (rc == -EKEYREJECTED)
		return err_set(err, -EACCES, "token %s does not fit the registry: %s", hello->jti,
			       record->changed[0] ? record->changed
						  : "it is forged, or what it contains changed");
	return rc;
}

int handshake_check_hello(const struct handshake_facts *facts, struct err *err)
{
	const struct message_hello *hello = facts->hello;
	int rc = check_node(facts, err);

	if (rc == 0)
		rc = check_token(facts, err);
	if (rc < 0)
		return rc;
	if (facts->now_s >= hello->exp)
		return err_set(err, -EACCES, "token %s has expired %" PRIu64 " s ago", hello->jti,
			       facts->now_s - hello->exp);
	if (facts->record->revoked)
		return err_set(err, -EACCES, "token %s is revoked", hello->jti);
	return 0;
}

int handshake_choose_identity(const struct handshake_facts *facts, enum message_identity *ret,
			      struct err *err)
{
	const struct handshake_record *record = facts->record;

	*ret = IDENTITY_NONE;
	if (record->mode == ONBOARDING_PSK_ONLY)
		return 0;
	*ret = IDENTITY_CERTIFICATE;
	if (record->mode == ONBOARDING_WEAK)
		return 0;
	if (record->ek.size > 0)
		*ret = IDENTITY_EK;
	else if (!facts->setup->device_ca)
		return err_set(err, -EACCES,
			       "mode strong: node %s has no endorsement-key, and there is no "
			       "device-id-ca",
			       record->node);
	return 0;
}

int handshake_check_certificate(const struct handshake_facts *facts, struct registry_pin *ret,
				struct err *err)
{
	const struct handshake_conductor_setup *setup = facts->setup;
	int rc = 0;

	if (setup->n_client_chain == 0)
		return err_set(err, -EACCES, "mode %s: no client certificate was shown",
			       onboarding_mode_name(facts->record->mode));
	if (facts->record->mode == ONBOARDING_STRONG)
		rc = device_certificate_check(setup->device_ca, setup->client_chain,
					      setup->n_client_chain, facts->hello->asset_id,
					      facts->now_s, err);
	if (rc == 0)
		rc = device_certificate_key_digest(setup->client_chain[0], ret->digest, err);
	if (rc < 0)
		return rc;
	ret->kind = REGISTRY_PIN_CERTIFICATE;
	return 0;
}

int handshake_check_ek(const struct handshake_facts *facts, const struct message_proof *proof,
		       struct registry_pin *ret_pin, struct credential_ak *ret_ak, struct err *err)
{
	const struct message_bytes *configured = &facts->record->ek;
	const struct message_bytes *shown = &proof->ek;

	if (shown->size != configured->size ||
	    memcmp(shown->bytes, configured->bytes, shown->size) != 0)
		return err_set(err, -EACCES,
			       "EK: not the endorsement-key that is configured for node %s",
			       facts->record->node);
	if (EVP_Digest(shown->bytes, shown->size, ret_pin->digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, -ENOMEM, "out of memory");
	ret_pin->kind = REGISTRY_PIN_ENDORSEMENT_KEY;
	return credential_read_ak(ret_ak, span_of(proof->ak.bytes, proof->ak.size), err);
}

int handshake_pin_ssh_key(struct span key, struct registry_pin *ret, struct err *err)
{
	if (EVP_Digest(key.bytes, key.size, ret->digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, -ENOMEM, "out of memory");
	ret->kind = REGISTRY_PIN_SSH_KEY;
	return 0;
}

static const char *pin_kind_name(enum registry_pin_kind kind)
{
	static const char *const names[] = {
		[REGISTRY_PIN_NONE] = "nothing",
		[REGISTRY_PIN_SSH_KEY] = "SSH key",
		[REGISTRY_PIN_CERTIFICATE] = "certificate",
		[REGISTRY_PIN_ENDORSEMENT_KEY] = "EK",
	};

	return names[kind];
}

int handshake_check_pin(const struct handshake_record *record, const struct registry_pin *pin,
			struct err *err)
{
	if (record->pin.kind == REGISTRY_PIN_NONE ||
	    (record->pin.kind == pin->kind &&
	     memcmp(record->pin.digest, pin->digest, sizeof(pin->digest)) == 0))
		return 0;
	if (record->pin.kind != pin->kind)
		return err_set(err, -EKEYREJECTED,
			       "another device? node %s is enrolled by its %s, now shows its %s; "
			       "reset router %s node %s if it is meant to",
			       record->node, pin_kind_name(record->pin.kind),
			       pin_kind_name(pin->kind), record->router, record->node);
	return err_set(err, -EKEYREJECTED,
		       "another device under a known asset-id: node %s is enrolled with another "
		       "%s; reset router %s node %s if it was exchanged",
		       record->node, pin_kind_name(pin->kind), record->router, record->node);
}
