#include "conductor/enrolment/handshake_registry.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_lookup.h"

static const enum handshake_pin_kind handshake_kinds[] = {
	[REGISTRY_PIN_SSH_KEY] = HANDSHAKE_PIN_SSH_KEY,
	[REGISTRY_PIN_CERTIFICATE] = HANDSHAKE_PIN_CERTIFICATE,
	[REGISTRY_PIN_ENDORSEMENT_KEY] = HANDSHAKE_PIN_EK,
};

static void fill_record(const struct registry_candidate *candidate, struct handshake_record *ret)
{
	const struct registry_claims *claims = &candidate->claims;

	(void)snprintf(ret->node, sizeof(ret->node), "%s", candidate->node);
	ret->mode = claims->mode;
	ret->listen_port = candidate->listen_port;
	memcpy(ret->secret, claims->secret, sizeof(ret->secret));
	memcpy(ret->asset_ids, claims->asset_ids, sizeof(ret->asset_ids));
	ret->n_asset_ids = claims->n_asset_ids;
	ret->ek.size = MIN(candidate->endorsement_key_size, sizeof(ret->ek.bytes));
	memcpy(ret->ek.bytes, candidate->endorsement_key, ret->ek.size);
	if (candidate->is_enrolled) {
		ret->pin.kind = handshake_kinds[candidate->pin.kind];
		memcpy(ret->pin.digest, candidate->pin.digest, sizeof(ret->pin.digest));
	}
	/* A number that was never given out, or went with its router, is as good as revoked. */
	ret->revoked = candidate->token_is_revoked || !candidate->token_is_known;
	(void)snprintf(ret->changed, sizeof(ret->changed), "%s", candidate->changed);
}

int handshake_registry_look_up(struct registry *r, const struct message_hello *hello,
			       struct span certificate, int64_t now_s, struct handshake_record *ret,
			       struct err *err)
{
	struct registry_question question = {.router = hello->router,
					     .asset_id = hello->asset_id,
					     .jti = hello->jti,
					     .certificate = certificate};
	struct registry_candidate candidate;
	struct err why;
	int rc;

	*ret = (struct handshake_record){0};
	rc = registry_lookup(r, &question, now_s, &candidate, &why);
	(void)snprintf(ret->router, sizeof(ret->router), "%s", candidate.claims.router);
	ret->known = ret->router[0] != '\0';
	ret->clock_set_back = rc == -ETIME;
	if (rc == 0)
		fill_record(&candidate, ret);
	registry_candidate_release(&candidate);
	/* These two are answers: the handshake says them in its own words. */
	return rc == 0 || rc == -ENOENT || rc == -ETIME ? 0 : err_set(err, rc, "%s", why.text);
}

void handshake_record_release(struct handshake_record *record)
{
	explicit_bzero(record, sizeof(*record));
}

static enum registry_pin_kind kind_of(enum handshake_pin_kind kind)
{
	assert(kind != HANDSHAKE_PIN_NONE); /* nobody comes to the commit without */
	if (kind == HANDSHAKE_PIN_EK)
		return REGISTRY_PIN_ENDORSEMENT_KEY;
	return kind == HANDSHAKE_PIN_CERTIFICATE ? REGISTRY_PIN_CERTIFICATE : REGISTRY_PIN_SSH_KEY;
}

struct registry_proof handshake_registry_proof(const struct handshake_conductor *h)
{
	const struct handshake_enrolment *enrolment = &h->enrolment;
	struct registry_proof proof = {
		.router = h->record.router,
		.asset_id = h->hello.asset_id,
		.jti = h->hello.jti,
		.mode = h->record.mode,
		.secret = span_of(h->record.secret, sizeof(h->record.secret)),
		.pin.kind = kind_of(enrolment->pin.kind),
		.ssh_key = span_of(enrolment->ssh_key, sizeof(enrolment->ssh_key)),
		.pcrs = span_of(enrolment->pcrs, enrolment->has_pcrs ? sizeof(enrolment->pcrs) : 0),
	};

	memcpy(proof.pin.digest, enrolment->pin.digest, sizeof(proof.pin.digest));
	return proof;
}
