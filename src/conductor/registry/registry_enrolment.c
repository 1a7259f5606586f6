/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_enrolment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_judge.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_transaction.h"

static const char *const verdict_names[] = {
	[REGISTRY_VERDICT_NEW] = "new",
	[REGISTRY_VERDICT_SAME] = "same",
	[REGISTRY_VERDICT_RENEWED] = "renewed",
	[REGISTRY_VERDICT_CLOCK] = "clock-set-back",
	[REGISTRY_VERDICT_ASSET_ID] = "asset-id-changed",
	[REGISTRY_VERDICT_MODE] = "mode-changed",
	[REGISTRY_VERDICT_SECRET] = "secret-changed",
	[REGISTRY_VERDICT_IDENTITY] = "identity-changed",
	[REGISTRY_VERDICT_TOKEN_UNKNOWN] = "token-unknown",
	[REGISTRY_VERDICT_TOKEN_REVOKED] = "token-revoked",
	[REGISTRY_VERDICT_TOKEN_EXPIRED] = "token-expired",
	[REGISTRY_VERDICT_OTHER_DEVICE] = "other-device",
	[REGISTRY_VERDICT_SSH_KEY] = "ssh-key-taken",
	[REGISTRY_VERDICT_PIN] = "pin-taken",
};

const char *registry_verdict_name(enum registry_verdict verdict)
{
	return verdict_names[verdict];
}

bool registry_verdict_is_refusal(enum registry_verdict verdict)
{
	return verdict > REGISTRY_VERDICT_RENEWED;
}

/* The enrolment is written anew, even if its keys are the same. So the claim to initialize the
 * router is removed with the old row: a router that has shaken hands again waits to be
 * initialized. */
static int store(struct registry_session *session, const struct enrol_work *w, struct err *err)
{
	const struct registry_proof *proof = w->proof;
	int rc;

	rc = query_run(session, err, "DELETE FROM enrolments WHERE router = $1 AND node = $2",
		       value_text(proof->router), value_text(w->candidate.node));
	if (rc < 0)
		return rc;
	rc = query_run(session, err,
		       "INSERT INTO enrolments (router, node, pin, pin_digest, ssh_key, pcrs, jti,"
		       " enrolled, address)"
		       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		       value_text(proof->router), value_text(w->candidate.node),
		       value_text(registry_pin_kind_name(proof->pin.kind)),
		       value_bytes(span_of(proof->pin.digest, sizeof(proof->pin.digest))),
		       value_bytes(proof->ssh_key), value_bytes(proof->pcrs),
		       value_text(proof->jti), value_integer(w->origin->time_s),
		       value_text(w->origin->address));
	if (rc < 0)
		return rc;
	return query_run(session, err,
			 "INSERT INTO key_exchanges (router, node, key_exchange)"
			 " VALUES ($1, $2, $3)",
			 value_text(proof->router), value_text(w->candidate.node),
			 value_text(proof->key_exchange));
}

static int note(struct registry_session *session, const struct enrol_work *w, struct err *err)
{
	const struct registry_decision *decision = w->decision;
	struct registry_event event = {
		.outcome = REGISTRY_ENROLLED,
		.router = w->proof->router,
		.node = decision->node,
		.reason = decision->reason,
	};

	if (decision->verdict == REGISTRY_VERDICT_OTHER_DEVICE)
		event.outcome = REGISTRY_OTHER_DEVICE;
	else if (registry_verdict_is_refusal(decision->verdict))
		event.outcome = REGISTRY_REFUSED;
	return registry_audit_add(session, w->origin, &event, err);
}

static int enrol(struct registry_session *session, struct enrol_work *w, struct err *err)
{
	int rc;

	*w->decision = (struct registry_decision){0};
	rc = registry_judge(session, w, err);
	if (rc == 0) {
		w->decision->listen_port = w->candidate.listen_port;
		rc = store(session, w, err);
	}
	return rc < 0 ? rc : note(session, w, err);
}

/* Checks what the handshake should have refused already. */
static int check_proof(const struct registry_proof *proof, struct err *err)
{
	uint8_t digest[REGISTRY_DIGEST_SIZE];
	int rc = registry_check_name("router", proof->router, err);

	if (rc == 0)
		rc = registry_check_name("asset-id", proof->asset_id, err);
	if (rc < 0)
		return rc;
	if (!token_jti_is_valid(proof->jti))
		return err_set(err, -EINVAL, "token: its number is not 32 lower-case hex digits");
	if (!ssh_key_is_ed25519(proof->ssh_key))
		return err_set(err, -EINVAL, "the SSH key is no ssh-ed25519 key");
	registry_digest(proof->ssh_key, digest);
	if (proof->pin.kind == REGISTRY_PIN_SSH_KEY &&
	    memcmp(digest, proof->pin.digest, sizeof(digest)) != 0)
		return err_set(err, -EINVAL, "pinned by another SSH key than its own");
	if (proof->pcrs.size != 0 &&
	    proof->pcrs.size != (size_t)REGISTRY_N_PCRS * REGISTRY_DIGEST_SIZE)
		return err_set(err, -EINVAL, "%zu bytes of PCR values", proof->pcrs.size);
	return 0;
}

struct enrol_batch {
	struct registry_enrolment_request *requests;
	size_t n;
};

static int enrol_request(struct registry_session *session,
			 struct registry_enrolment_request *request, struct err *err)
{
	struct enrol_work w = {
		.proof = request->proof, .origin = request->origin, .decision = &request->decision};
	int rc = enrol(session, &w, err);

	registry_candidate_release(&w.candidate);
	return rc;
}

/* Enrols one router among others. If only this enrolment fails, it alone is undone and told. If
 * another transaction or the connection made it fail, the whole transaction must be done again. */
static int enrol_among(struct registry_session *session, struct registry_enrolment_request *request,
		       struct err *err)
{
	const struct registry_driver *driver = session->driver;
	int rc = driver->execute(session->connection, "SAVEPOINT one", err);

	if (rc < 0)
		return rc;
	rc = enrol_request(session, request, err);
	if (rc == 0)
		return driver->execute(session->connection, "RELEASE one", err);
	if (rc == -EAGAIN || rc == -ECONNRESET)
		return rc;
	request->err = *err;
	(void)err_wrap(&request->err, "registry");
	rc = driver->execute(session->connection, "ROLLBACK TO one", err);
	return rc < 0 ? rc : driver->execute(session->connection, "RELEASE one", err);
}

static int enrol_batch(struct registry_session *session, void *work, struct err *err)
{
	struct enrol_batch *batch = work;
	int rc = 0;

	if (batch->n == 1)
		return enrol_request(session, batch->requests, err);
	for (size_t i = 0; i < batch->n && rc == 0; i++) {
		struct registry_enrolment_request *request = &batch->requests[i];

		request->err = (struct err){
			0}; /* an earlier try of the same transaction may have set it */
		if (check_proof(request->proof, &request->err) == 0)
			rc = enrol_among(session, request, err);
	}
	return rc;
}

void registry_enrol_all(struct registry *r, struct registry_enrolment_request *requests, size_t n)
{
	struct enrol_batch batch = {.requests = requests, .n = n};
	struct err err = {0};

	for (size_t i = 0; i < n; i++) {
		requests[i].err = (struct err){0};
		requests[i].decision = (struct registry_decision){0};
	}
	if (n == 1 && check_proof(requests[0].proof, &requests[0].err) < 0)
		return;
	if (registry_write(r, enrol_batch, &batch, &err) == 0)
		return;
	for (size_t i = 0; i < n; i++)
		requests[i].err = err;
}

int registry_enrol(struct registry *r, const struct registry_proof *proof,
		   const struct registry_origin *origin, struct registry_decision *ret,
		   struct err *err)
{
	struct registry_enrolment_request request = {.proof = proof, .origin = origin};

	registry_enrol_all(r, &request, 1);
	if (request.err.code == 0)
		*ret = request.decision;
	else if (err)
		*err = request.err;
	return request.err.code;
}
