/* enrolment_commits.h - enrolments of handshakes that wait at the same time: one transaction, and
 * one file of keys, for all of them.
 *
 * What reaches the disk, and waits for it, costs nearly the same for one and for fifty. A handshake
 * that has come to its commit waits here, without a thread; a worker takes all that wait then, one
 * batch at a time. Each is told by its own done() what became of it: its enrolment is on disk and
 * its key is in the file, or it is not enrolled.
 *
 * Calling sequence: enrolment_commits_init -> enrolment_commits_add ... -> the last done ->
 * enrolment_commits_release.
 */
#pragma once

#include <uv.h>

#include "base/work.h"
#include "conductor/enrolment/enrolment_handshake.h"
#include "conductor/registry/registry_enrolment.h"

#define ENROLMENT_COMMITS_MAX                                                                      \
	64 /* in one batch: how long the first of them may wait for the others */

struct enrolment_commit {
	struct enrolment_handshake *handshake; /* that waits */
	/* On the loop: the handshake has gone on, and what it has to say is pending. */
	void (*done)(struct enrolment_commit *commit);
	struct enrolment_commit *next;
};

struct enrolment_commits {
	const struct enrolment_context *context;
	uv_loop_t *loop;
	uv_mutex_t lock; /* of those that wait: */
	struct enrolment_commit *first;
	struct enrolment_commit **end;
	/* A worker's, and then the loop's: */
	struct enrolment_commit *batch[ENROLMENT_COMMITS_MAX];
	struct registry_proof proofs[ENROLMENT_COMMITS_MAX];
	struct registry_origin origins[ENROLMENT_COMMITS_MAX];
	struct registry_enrolment_request requests[ENROLMENT_COMMITS_MAX];
	size_t n_batch;
	struct work work;
	bool working;
};

/* context is borrowed. */
void enrolment_commits_init(struct enrolment_commits *c, uv_loop_t *loop,
			    const struct enrolment_context *context);
/* None waits. */
void enrolment_commits_release(struct enrolment_commits *c);

/* On the loop. commit is borrowed until its done(), and so is its handshake, which nobody else may
 * touch. */
void enrolment_commits_add(struct enrolment_commits *c, struct enrolment_commit *commit);
