/* sco_commits.h - enrolments of handshakes that wait at the same time: one transaction, and one
 * file of keys, for all of them.
 *
 * What reaches the disk, and waits for it, costs nearly the same for one and for fifty. A handshake
 * that has come to its commit waits here, without a thread; a worker takes all that wait then, one
 * batch at a time. Each is told by its own done() what became of it: its enrolment is on disk and
 * its key is in the file, or it is not enrolled.
 *
 * Calling sequence: sco_commits_init -> sco_commits_add ... -> the last done ->
 * sco_commits_release.
 */
#pragma once

#include <uv.h>

#include "conductord/sco_handshake.h"
#include "core/work.h"
#include "onboarding/conductor/registry_enrolment.h"

#define SCO_COMMITS_MAX 64 /* in one batch: how long the first of them may wait for the others */

struct sco_commit {
	struct sco_handshake *handshake; /* that waits */
	/* On the loop: the handshake has gone on, and what it has to say is pending. */
	void (*done)(struct sco_commit *commit);
	struct sco_commit *next;
};

struct sco_commits {
	const struct sco_context *context;
	uv_loop_t *loop;
	uv_mutex_t lock; /* of those that wait: */
	struct sco_commit *first;
	struct sco_commit **end;
	/* A worker's, and then the loop's: */
	struct sco_commit *batch[SCO_COMMITS_MAX];
	struct registry_proof proofs[SCO_COMMITS_MAX];
	struct registry_origin origins[SCO_COMMITS_MAX];
	struct registry_enrolment_request requests[SCO_COMMITS_MAX];
	size_t n_batch;
	struct work work;
	bool working;
};

/* context is borrowed. */
void sco_commits_init(struct sco_commits *c, uv_loop_t *loop, const struct sco_context *context);
/* None waits. */
void sco_commits_release(struct sco_commits *c);

/* On the loop. commit is borrowed until its done(), and so is its handshake, which nobody else may
 * touch. */
void sco_commits_add(struct sco_commits *c, struct sco_commit *commit);
