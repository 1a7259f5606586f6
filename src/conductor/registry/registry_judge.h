/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_judge.h - may this router be enrolled by what its handshake has proved? For
 * registry_enrolment.c, within its transaction.
 */
#pragma once

#include "base/err.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_lookup.h"
#include "conductor/registry/registry_transaction.h"

struct enrol_work {
	const struct registry_proof *proof;
	const struct registry_origin *origin;
	struct registry_candidate candidate; /* out; released by the caller */
	struct registry_decision *decision;  /* out */
};

/* 0: it may, and decision says how; 1: refused, and decision says why. Negative: nothing is
 * decided. */
int registry_judge(struct registry_session *session, struct enrol_work *w, struct err *err);
