/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding_records.h - the two records of a router's onboarding, in memory and on disk: the one
 * in force, and a newer token beside it. Each has its own file. After a power cut at least one of
 * them is there.
 *
 * Calling sequence: onboarding_records_load -> ... -> onboarding_records_release.
 */
#pragma once

#include "onboarding/router/onboarding_record.h"

struct onboarding_records {
	const char *directory;
	struct onboarding_record now;  /* what holds */
	struct onboarding_record next; /* UNCONFIGURED = there is none */
};

/* If there is no file, both are UNCONFIGURED. directory is borrowed. If the newer record cannot
 * be read, ret_problem says so; its file stays on disk, and the record in force goes on. */
int onboarding_records_load(struct onboarding_records *ret, const char *directory,
			    struct err *ret_problem, struct err *err);
void onboarding_records_release(struct onboarding_records *records);

/* The record whose token is being tried, if any is: the newer one. */
struct onboarding_record *onboarding_records_tried(struct onboarding_records *records);

/* record: one of the two. */
int onboarding_records_save(const struct onboarding_records *records,
			    const struct onboarding_record *record, struct err *err);

/* Replaces one of the two records (place) by what: on disk first, so that on failure nothing has
 * changed. The function takes over what in either case. */
int onboarding_records_replace(struct onboarding_records *records, struct onboarding_record *place,
			       struct onboarding_record *what, struct err *err);

/* Makes the newer record, if there is one, the record in force: in memory only. Save it then, and
 * only after that remove the newer file by onboarding_records_drop_next(). */
void onboarding_records_promote(struct onboarding_records *records);
/* Removes the newer record: on disk first. Errors are those of unlink and fsync, also if there
 * was no file; then the record stays in memory. */
int onboarding_records_drop_next(struct onboarding_records *records, struct err *err);
