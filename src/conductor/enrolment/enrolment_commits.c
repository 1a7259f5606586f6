/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_commits.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"

/* Takes the handshakes that wait by now. */
static void take_batch(struct enrolment_commits *c)
{
	uv_mutex_lock(&c->lock);
	c->n_batch = 0;
	while (c->first && c->n_batch < ENROLMENT_COMMITS_MAX) {
		c->batch[c->n_batch++] = c->first;
		c->first = c->first->next;
	}
	if (!c->first)
		c->end = &c->first;
	uv_mutex_unlock(&c->lock);
}

static bool is_enrolled(const struct registry_enrolment_request *request)
{
	return request->err.code == 0 && !registry_verdict_is_refusal(request->decision.verdict);
}

/* sshd knows the keys before any router hears that it is enrolled. */
static void sync_keys(struct enrolment_commits *c)
{
	struct err err = {0};
	bool any = false;

	for (size_t i = 0; i < c->n_batch; i++)
		any = any || is_enrolled(&c->requests[i]);
	if (!any || c->options.sync_keys(c->options.owner, &err) == 0)
		return;
	for (size_t i = 0; i < c->n_batch; i++)
		if (is_enrolled(&c->requests[i]))
			c->requests[i].err = err;
}

/* What the registry must be told of a handshake that asks for CONDUCTOR_COMMIT; borrowed from it.
 */
static struct registry_proof proof_of(const struct handshake_conductor *steps)
{
	const struct registry_claims *claims = &steps->candidate.claims;
	const struct handshake_enrolment *enrolment = &steps->enrolment;
	struct registry_proof proof = {
		.router = claims->router,
		.asset_id = steps->hello.asset_id,
		.jti = steps->hello.jti,
		.mode = claims->mode,
		.secret = span_of(claims->secret, sizeof(claims->secret)),
		.pin = enrolment->pin,
		.certified_ek =
			span_of(enrolment->certified_ek.bytes, enrolment->certified_ek.size),
		.ssh_key = span_of(enrolment->ssh_key, sizeof(enrolment->ssh_key)),
		.key_exchange = enrolment->key_exchange,
		.pcrs = span_of(enrolment->pcrs, enrolment->has_pcrs ? sizeof(enrolment->pcrs) : 0),
	};

	assert(proof.pin.kind != REGISTRY_PIN_NONE); /* nobody comes to the commit without */
	return proof;
}

static void commit_batch(struct work *work)
{
	struct enrolment_commits *c = container_of(work, struct enrolment_commits, work);

	take_batch(c);
	for (size_t i = 0; i < c->n_batch; i++) {
		const struct enrolment_handshake *h = c->batch[i]->handshake;

		c->proofs[i] = proof_of(h->steps);
		c->origins[i] =
			(struct registry_origin){.address = h->address, .time_s = time(NULL)};
		c->requests[i] = (struct registry_enrolment_request){.proof = &c->proofs[i],
								     .origin = &c->origins[i]};
	}
	registry_enrol_all(c->options.registry, c->requests, c->n_batch);
	sync_keys(c);
	for (size_t i = 0; i < c->n_batch; i++)
		enrolment_handshake_decided(c->batch[i]->handshake, &c->requests[i].decision,
					    &c->requests[i].err);
}

static void commit_those_that_wait(struct enrolment_commits *c);

static void on_done(struct work *work)
{
	struct enrolment_commits *c = container_of(work, struct enrolment_commits, work);
	struct enrolment_commit *batch[ENROLMENT_COMMITS_MAX];
	size_t n = c->n_batch;

	/* The next batch begins before these handshakes are told. */
	memcpy(batch, c->batch, n * sizeof(struct enrolment_commit *));
	c->working = false;
	commit_those_that_wait(c);
	for (size_t i = 0; i < n; i++)
		batch[i]->done(batch[i]);
}

static void commit_those_that_wait(struct enrolment_commits *c)
{
	bool wanted;

	uv_mutex_lock(&c->lock);
	wanted = c->first && !c->working;
	uv_mutex_unlock(&c->lock);
	if (!wanted)
		return;
	c->working = true;
	work_pool_submit(c->options.pool, c->options.loop, &c->work, commit_batch, on_done);
}

void enrolment_commits_init(struct enrolment_commits *c,
			    const struct enrolment_commits_options *options)
{
	memset(c, 0, sizeof(*c));
	c->options = *options;
	c->end = &c->first;
	(void)uv_mutex_init(&c->lock);
}

void enrolment_commits_release(struct enrolment_commits *c)
{
	assert(!c->first && !c->working);
	uv_mutex_destroy(&c->lock);
}

void enrolment_commits_add(struct enrolment_commits *c, struct enrolment_commit *commit)
{
	commit->next = NULL;
	uv_mutex_lock(&c->lock);
	*c->end = commit;
	c->end = &commit->next;
	uv_mutex_unlock(&c->lock);
	commit_those_that_wait(c);
}
