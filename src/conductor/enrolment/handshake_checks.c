/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/handshake_checks.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "conductor/enrolment/credential_ek.h"
#include "conductor/enrolment/ek_certificate.h"

static int check_node(const struct handshake_facts *facts, struct err *err)
{
	const struct message_hello *hello = facts->hello;
	const struct registry_candidate *candidate = facts->candidate;

	if (facts->clock_set_back)
		return err_set(err, -EACCES,
			       "this conductor's clock was set back: request "
			       "secure-conductor-onboarding reset clock");
	if (!candidate->claims.router[0])
		return err_set(err, -EACCES, "asset-id %s is not known", hello->asset_id);
	if (strcmp(candidate->claims.router, hello->router) != 0)
		return err_set(err, -EACCES, "asset-id %s is of router %s, not %s", hello->asset_id,
			       candidate->claims.router, hello->router);
	if (candidate->claims.mode == ONBOARDING_DISABLED)
		return err_set(err, -EACCES, "mode of router %s is disabled",
			       candidate->claims.router);
	return 0;
}

/* The token is written again from what the registry holds now. */
static int check_token(const struct handshake_facts *facts, struct err *err)
{
	const struct registry_candidate *candidate = facts->candidate;
	const struct message_hello *hello = facts->hello;
	const char *asset_ids[TOKEN_ASSET_IDS_MAX];
	const struct token_claims claims = {
		.jti = hello->jti,
		.router = candidate->claims.router,
		.asset_ids = asset_ids,
		.n_asset_ids = candidate->claims.n_asset_ids,
		.iat = hello->iat,
		.exp = hello->exp,
		.conductor_certificate = facts->setup->conductor_certificate,
		.ca_certificate = facts->setup->ca_certificate,
		.secret = span_of(candidate->claims.secret, sizeof(candidate->claims.secret)),
	};
	int rc;

	for (size_t i = 0; i < candidate->claims.n_asset_ids; i++)
		asset_ids[i] = candidate->claims.asset_ids[i];
	rc = token_check(&claims, facts->setup->key, hello->header, hello->signature, err);
	if (rc == -EKEYREJECTED)
		return err_set(err, -EACCES, "token %s does not fit the registry: %s", hello->jti,
			       candidate->changed[0] ? candidate->changed
						     : "it is forged, or what it contains changed");
	return rc;
}

int handshake_check_hello(const struct handshake_facts *facts, struct err *err)
{
	const struct message_hello *hello = facts->hello;
	int rc;

	if (hello->version != facts->setup->version)
		return err_set(err, -EACCES, "hello of version %u, TLS has agreed on version %u",
			       hello->version, facts->setup->version);
	rc = check_node(facts, err);
	if (rc == 0)
		rc = check_token(facts, err);
	if (rc < 0)
		return rc;
	if (facts->now_s >= hello->exp)
		return err_set(err, -EACCES, "token %s has expired %" PRIu64 " s ago", hello->jti,
			       facts->now_s - hello->exp);
	/* A number that was never given out, or went with its router, is as good as revoked. */
	if (!facts->candidate->token_is_known || facts->candidate->token_is_revoked)
		return err_set(err, -EACCES, "token %s is revoked", hello->jti);
	return 0;
}

int handshake_choose_identity(const struct handshake_facts *facts, enum message_identity *ret,
			      struct err *err)
{
	const struct registry_candidate *candidate = facts->candidate;
	const struct handshake_conductor_setup *setup = facts->setup;

	*ret = IDENTITY_NONE;
	if (candidate->claims.mode == ONBOARDING_PSK_ONLY)
		return 0;
	*ret = IDENTITY_CERTIFICATE;
	if (candidate->claims.mode == ONBOARDING_WEAK)
		return 0;
	if (candidate->endorsement_key_size > 0)
		*ret = IDENTITY_EK;
	else if (setup->endorsement_ca && (!setup->device_ca || setup->n_client_chain == 0))
		*ret = IDENTITY_EK_CERTIFICATE;
	else if (!setup->device_ca)
		return err_set(err, -EACCES,
			       "mode strong: node %s has no endorsement-key, and there is no "
			       "device-id-ca and no endorsement-ca",
			       candidate->node);
	return 0;
}

int handshake_check_proof(enum message_identity identity, const struct message_proof *proof,
			  struct err *err)
{
	bool certified = identity == IDENTITY_EK_CERTIFICATE;
	bool has_certificate = proof->ek_certificate.size > 0;

	if (proof->with_ek != (identity == IDENTITY_EK || certified))
		return err_set(err, -EACCES, "proof %s EK where %s was asked for",
			       proof->with_ek ? "with" : "without",
			       message_identity_name(identity));
	if (has_certificate != certified)
		return err_set(
			err, -EACCES, "proof %s certificate of the EK where %s was asked for",
			has_certificate ? "with" : "without", message_identity_name(identity));
	return 0;
}

int handshake_check_certificate(const struct handshake_facts *facts, struct registry_pin *ret,
				struct err *err)
{
	const struct handshake_conductor_setup *setup = facts->setup;
	int rc = 0;

	if (setup->n_client_chain == 0)
		return err_set(err, -EACCES, "mode %s: no client certificate was shown",
			       onboarding_mode_name(facts->candidate->claims.mode));
	if (facts->candidate->claims.mode == ONBOARDING_STRONG)
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

/* A TPM has several EKs, and the router shows that of its ek-handle. */
static int refuse_ek(const struct registry_candidate *candidate, const struct message_bytes *shown,
		     struct err *err)
{
	char configured_kind[CREDENTIAL_EK_KIND_SIZE];
	char shown_kind[CREDENTIAL_EK_KIND_SIZE];
	int rc = err_set(err, -EACCES, "EK: not the endorsement-key that is configured for node %s",
			 candidate->node);

	credential_ek_kind(span_of(shown->bytes, shown->size), shown_kind);
	credential_ek_kind(span_of(candidate->endorsement_key, candidate->endorsement_key_size),
			   configured_kind);
	if (strcmp(shown_kind, configured_kind) != 0)
		return err_set(err, -EACCES,
			       "EK: not the endorsement-key that is configured for node %s: %s was "
			       "shown, %s is configured (the router's ek-handle says which of its "
			       "TPM's keys it shows)",
			       candidate->node, shown_kind, configured_kind);
	return rc;
}

static int check_ek_certificate(const struct handshake_facts *facts,
				const struct message_proof *proof, struct err *err)
{
	const struct message_ek_chain *above = proof->ek_chain;
	struct span chain[1 + MESSAGE_EK_CHAIN_MAX] = {
		span_of(proof->ek_certificate.bytes, proof->ek_certificate.size)};
	size_t n = 1;

	for (unsigned i = 0; above && i < above->n; i++)
		chain[n++] = span_of(above->certificates[i].bytes, above->certificates[i].size);
	return ek_certificate_check(facts->setup->endorsement_ca, chain, n,
				    span_of(proof->ek.bytes, proof->ek.size), facts->now_s, err);
}

/* Which EK it may be: the node's own, or of any genuine TPM. */
static int check_whose_ek(const struct handshake_facts *facts, const struct message_proof *proof,
			  struct err *err)
{
	const struct registry_candidate *candidate = facts->candidate;
	const struct message_bytes *shown = &proof->ek;

	if (proof->ek_certificate.size > 0)
		return check_ek_certificate(facts, proof, err);
	if (shown->size != candidate->endorsement_key_size ||
	    memcmp(shown->bytes, candidate->endorsement_key, shown->size) != 0)
		return refuse_ek(candidate, shown, err);
	return 0;
}

int handshake_check_ek(const struct handshake_facts *facts, const struct message_proof *proof,
		       struct registry_pin *ret_pin, struct credential_ak *ret_ak, struct err *err)
{
	const struct message_bytes *shown = &proof->ek;
	int rc = check_whose_ek(facts, proof, err);

	if (rc < 0)
		return rc;
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

int handshake_check_pin(const struct registry_candidate *candidate, const struct registry_pin *pin,
			struct err *err)
{
	if (candidate->pin.kind == REGISTRY_PIN_NONE ||
	    (candidate->pin.kind == pin->kind &&
	     memcmp(candidate->pin.digest, pin->digest, sizeof(pin->digest)) == 0))
		return 0;
	if (candidate->pin.kind != pin->kind)
		return err_set(err, -EKEYREJECTED,
			       "another device? node %s is enrolled by its %s, now shows its %s; "
			       "reset router %s node %s if it is meant to",
			       candidate->node, pin_kind_name(candidate->pin.kind),
			       pin_kind_name(pin->kind), candidate->claims.router, candidate->node);
	return err_set(err, -EKEYREJECTED,
		       "another device under a known asset-id: node %s is enrolled with another "
		       "%s; reset router %s node %s if it was exchanged",
		       candidate->node, pin_kind_name(pin->kind), candidate->claims.router,
		       candidate->node);
}
