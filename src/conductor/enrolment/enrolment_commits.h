/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_commits.h - enrols the routers whose handshakes wait at the same time: one
 * transaction, and one write of the keys' file, for all of them.
 *
 * Writing to the disk and waiting for it costs nearly the same for one enrolment and for fifty. A
 * handshake that has come to its commit waits here, without a thread. A worker takes all that
 * wait at that moment, one batch at a time. done() tells each how it ended: it is enrolled, on
 * disk and in the keys' file; or it is not enrolled.
 *
 * Calling sequence: enrolment_commits_init -> enrolment_commits_add ... -> the last done ->
 * enrolment_commits_release.
 */
#pragma once

#include <uv.h>

#include "base/work.h"
#include "base/work_pool.h"
#include "conductor/enrolment/enrolment_handshake.h"
#include "conductor/registry/registry_enrolment.h"

#define ENROLMENT_COMMITS_MAX 64 /* in one batch: the first of them may wait for so many others */

struct enrolment_commit {
	struct enrolment_handshake *handshake; /* the handshake that waits */
	/* On the loop: the handshake has gone on, and its next bytes are pending. */
	void (*done)(struct enrolment_commit *commit);
	struct enrolment_commit *next;
};

struct enrolment_commits_options {
	uv_loop_t *loop;
	struct work_pool *pool; /* the thread that asks the registry; NULL = libuv's pool */
	struct registry *registry;
	/* The keys that may log in have changed: make sshd know them. On a worker. */
	int (*sync_keys)(void *owner, struct err *err);
	void *owner;
};

struct enrolment_commits {
	struct enrolment_commits_options options;
	uv_mutex_t lock; /* protects the list of those that wait: */
	struct enrolment_commit *first;
	struct enrolment_commit **end;
	/* Used by the worker, and then by the loop: */
	struct enrolment_commit *batch[ENROLMENT_COMMITS_MAX];
	struct registry_proof proofs[ENROLMENT_COMMITS_MAX];
	struct registry_origin origins[ENROLMENT_COMMITS_MAX];
	struct registry_enrolment_request requests[ENROLMENT_COMMITS_MAX];
	size_t n_batch;
	struct work work;
	bool working;
};

/* What options point to is borrowed. */
void enrolment_commits_init(struct enrolment_commits *c,
			    const struct enrolment_commits_options *options);
/* To be called when none waits. */
void enrolment_commits_release(struct enrolment_commits *c);

/* On the loop. commit and its handshake are borrowed until its done(); nobody else may touch
 * them. */
void enrolment_commits_add(struct enrolment_commits *c, struct enrolment_commit *commit);
