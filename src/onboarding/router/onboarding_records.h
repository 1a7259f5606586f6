/* onboarding_records.h - the two records of a router's onboarding, in memory and on disk: what
 * holds, and a newer token beside it. Which it is decides the file; a power cut leaves one or the
 * other, never neither.
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

/* Without any file both are UNCONFIGURED. directory is borrowed. A newer one that cannot be read is
 * told of in ret_problem, and stays on disk: what holds goes on. */
int onboarding_records_load(struct onboarding_records *ret, const char *directory,
			    struct err *ret_problem, struct err *err);
void onboarding_records_release(struct onboarding_records *records);

/* The one whose token is tried, if any is: the newer. */
struct onboarding_record *onboarding_records_tried(struct onboarding_records *records);

/* record: one of the two. */
int onboarding_records_save(const struct onboarding_records *records,
			    const struct onboarding_record *record, struct err *err);

/* what takes the place of one of the two, on disk first: on failure all is as it was. what is the
 * callee's either way. */
int onboarding_records_replace(struct onboarding_records *records, struct onboarding_record *place,
			       struct onboarding_record *what, struct err *err);

/* The newer one, if there is one, becomes what holds: in memory. It is to be saved; then, and not
 * before, the newer file goes by onboarding_records_drop_next(). */
void onboarding_records_promote(struct onboarding_records *records);
/* On disk first. Errors: those of unlink and fsync, also where there was no file; then it is there
 * still, in memory. */
int onboarding_records_drop_next(struct onboarding_records *records, struct err *err);
