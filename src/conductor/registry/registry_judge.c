/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_judge.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"
#include "conductor/registry/registry_clock.h"

/* Sets the verdict and its reason. Returns 1 if it is a refusal: then the judges that follow are
 * not asked. */
__attribute__((format(printf, 3, 4))) static int decide(struct enrol_work *w,
							enum registry_verdict verdict,
							const char *format, ...)
{
	va_list arguments;

	w->decision->verdict = verdict;
	va_start(arguments, format);
	(void)vsnprintf(w->decision->reason, sizeof(w->decision->reason), format, arguments);
	va_end(arguments);
	return registry_verdict_is_refusal(verdict);
}

static int judge_clock(struct registry_session *session, struct enrol_work *w, struct err *err)
{
	struct err why;
	int rc = registry_clock_note(session, w->origin->time_s, &why);

	if (rc == -ETIME)
		return decide(w, REGISTRY_VERDICT_CLOCK, "%s", why.text);
	return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

static int judge_asset_id(struct registry_session *session, struct enrol_work *w, struct err *err)
{
	const struct registry_proof *proof = w->proof;
	struct registry_question question = {
		.router = proof->router, .asset_id = proof->asset_id, .jti = proof->jti};
	struct err why;
	int rc = registry_candidate_read(session, &question, &w->candidate, &why);

	if (rc == -ENOENT)
		return decide(w, REGISTRY_VERDICT_ASSET_ID, "changed during the handshake: %s",
			      why.text);
	if (rc < 0)
		return err_set(err, rc, "%s", why.text);
	(void)snprintf(w->decision->node, sizeof(w->decision->node), "%s", w->candidate.node);
	return 0;
}

static int judge_router(struct enrol_work *w)
{
	const struct registry_claims *claims = &w->candidate.claims;
	const struct registry_proof *proof = w->proof;

	if (claims->mode != proof->mode)
		return decide(w, REGISTRY_VERDICT_MODE,
			      "changed during the handshake: mode %s is asked for, %s was shown",
			      onboarding_mode_name(claims->mode),
			      onboarding_mode_name(proof->mode));
	if (!claims->has_secret || proof->secret.size != sizeof(claims->secret) ||
	    CRYPTO_memcmp(claims->secret, proof->secret.bytes, sizeof(claims->secret)) != 0)
		return decide(w, REGISTRY_VERDICT_SECRET,
			      "changed during the handshake: the pre-shared secret is another");
	return 0;
}

static enum registry_pin_kind kind_asked_for(const struct enrol_work *w)
{
	const struct registry_candidate *candidate = &w->candidate;

	if (candidate->claims.mode == ONBOARDING_PSK_ONLY)
		return REGISTRY_PIN_SSH_KEY;
	if (candidate->claims.mode == ONBOARDING_STRONG &&
	    (candidate->endorsement_key_size > 0 || w->proof->certified_ek.size > 0))
		return REGISTRY_PIN_ENDORSEMENT_KEY;
	return REGISTRY_PIN_CERTIFICATE;
}

/* A TPM that is another node's by its endorsement-key is not this node's by its certificate. */
static int judge_owner(struct registry_session *session, struct enrol_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct registry_proof *proof = w->proof;
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	int rc;

	if (proof->certified_ek.size == 0)
		return 0;
	rc = query_open(&q, session, err,
			"SELECT router, name FROM nodes WHERE endorsement_key = $1",
			value_bytes(proof->certified_ek));
	if (rc == 0)
		rc = query_next(&q, err);
	if (rc <= 0)
		return rc;
	query_text(&q, 0, router, sizeof(router));
	query_text(&q, 1, node, sizeof(node));
	if (strcmp(router, proof->router) == 0 && strcmp(node, w->candidate.node) == 0)
		return 0;
	return decide(w, REGISTRY_VERDICT_PIN, "its endorsement key is configured for %s of %s",
		      node, router);
}

static int judge_identity(struct enrol_work *w)
{
	const struct registry_candidate *candidate = &w->candidate;
	const struct registry_pin *pin = &w->proof->pin;
	enum registry_pin_kind asked = kind_asked_for(w);
	uint8_t digest[REGISTRY_DIGEST_SIZE];

	if (asked != pin->kind)
		return decide(w, REGISTRY_VERDICT_IDENTITY,
			      "changed during the handshake: %s is asked for, %s was shown",
			      registry_pin_kind_name(asked), registry_pin_kind_name(pin->kind));
	if (asked != REGISTRY_PIN_ENDORSEMENT_KEY || candidate->endorsement_key_size == 0)
		return 0;
	registry_digest(span_of(candidate->endorsement_key, candidate->endorsement_key_size),
			digest);
	if (memcmp(digest, pin->digest, sizeof(digest)) != 0)
		return decide(w, REGISTRY_VERDICT_IDENTITY,
			      "changed during the handshake: the configured endorsement key is "
			      "another");
	return 0;
}

static int judge_token(struct enrol_work *w)
{
	const struct registry_candidate *candidate = &w->candidate;
	const char *jti = w->proof->jti;

	if (!candidate->token_is_known)
		return decide(w, REGISTRY_VERDICT_TOKEN_UNKNOWN, "token %s is none of router %s",
			      jti, w->proof->router);
	if (candidate->token_is_revoked)
		return decide(w, REGISTRY_VERDICT_TOKEN_REVOKED, "token %s was revoked", jti);
	if (candidate->token_expires_s <= w->origin->time_s)
		return decide(w, REGISTRY_VERDICT_TOKEN_EXPIRED, "token %s expired %lld s ago", jti,
			      (long long)(w->origin->time_s - candidate->token_expires_s));
	return 0;
}

static int judge_pin(struct enrol_work *w)
{
	const struct registry_pin *was = &w->candidate.pin;
	const struct registry_pin *came = &w->proof->pin;
	char was_hex[17];
	char came_hex[17];

	if (was->kind == REGISTRY_PIN_NONE)
		return decide(w, REGISTRY_VERDICT_NEW, "enrolled");
	if (was->kind == came->kind && memcmp(was->digest, came->digest, sizeof(was->digest)) == 0)
		return 0;
	hex_encode(span_of(was->digest, 8), was_hex);
	hex_encode(span_of(came->digest, 8), came_hex);
	return decide(w, REGISTRY_VERDICT_OTHER_DEVICE,
		      "another device under asset-id %s: pinned by %s %s…, came with %s %s…; "
		      "'reset' if the device was replaced",
		      w->proof->asset_id, registry_pin_kind_name(was->kind), was_hex,
		      registry_pin_kind_name(came->kind), came_hex);
}

/* q: a node that has its SSH key or its pin, and that node's SSH key. */
static int judge_holder(struct enrol_work *w, struct query *q)
{
	const struct registry_proof *proof = w->proof;
	struct span ssh_key = query_bytes(q, 2);
	bool same_key = ssh_key.size == proof->ssh_key.size &&
			memcmp(ssh_key.bytes, proof->ssh_key.bytes, ssh_key.size) == 0;
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];

	query_text(q, 0, router, sizeof(router));
	query_text(q, 1, node, sizeof(node));
	if (strcmp(router, proof->router) == 0 && strcmp(node, w->candidate.node) == 0)
		return same_key ? decide(w, REGISTRY_VERDICT_SAME, "once more, with the same keys")
				: decide(w, REGISTRY_VERDICT_RENEWED,
					 "the same device with another SSH key");
	if (same_key)
		return decide(w, REGISTRY_VERDICT_SSH_KEY, "its SSH key is already %s's of %s",
			      node, router);
	return decide(w, REGISTRY_VERDICT_PIN, "its %s is already %s's of %s",
		      registry_pin_kind_name(proof->pin.kind), node, router);
}

/* Judges who has these keys already: the node itself, nobody, or another node. */
static int judge_keys(struct registry_session *session, struct enrol_work *w, struct err *err)
{
	_cleanup_(query_close) struct query q = {0};
	const struct registry_proof *proof = w->proof;
	int rc;

	rc = query_open(&q, session, err,
			"SELECT router, node, ssh_key FROM enrolments"
			" WHERE ssh_key = $1 OR (pin = $2 AND pin_digest = $3)",
			value_bytes(proof->ssh_key),
			value_text(registry_pin_kind_name(proof->pin.kind)),
			value_bytes(span_of(proof->pin.digest, sizeof(proof->pin.digest))));
	if (rc < 0)
		return rc;
	while ((rc = query_next(&q, err)) == 1)
		if (judge_holder(w, &q))
			return 1;
	return rc;
}

/* Cheap checks come before expensive ones. Each reason is told alone. */
int registry_judge(struct registry_session *session, struct enrol_work *w, struct err *err)
{
	int rc;

	rc = judge_clock(session, w, err);
	if (rc == 0)
		rc = judge_asset_id(session, w, err);
	if (rc == 0)
		rc = judge_router(w);
	if (rc == 0)
		rc = judge_identity(w);
	if (rc == 0)
		rc = judge_owner(session, w, err);
	if (rc == 0)
		rc = judge_token(w);
	if (rc == 0)
		rc = judge_pin(w);
	return rc == 0 ? judge_keys(session, w, err) : rc;
}
