/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding_records.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/kept_file.h"
#include "onboarding/router/onboarding_rules.h"

static bool is_missing(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR;
}

/* Power was cut between the writing of what holds and the removal of the newer file: they have the
 * same token. Without what holds (somebody removed it) the newer is all there is. */
static int settle(struct onboarding_records *r, struct err *err)
{
	int rc = 0;

	if (r->next.state == ONBOARDING_UNCONFIGURED)
		return 0;
	if (!onboarding_is_enrolled(&r->now)) {
		onboarding_records_promote(r);
		rc = onboarding_records_save(r, &r->now, err);
	} else if (strcmp(r->next.jti, r->now.jti) != 0) {
		return 0;
	}
	if (rc < 0)
		return rc;
	/* What cannot be removed is settled once more at the next start. */
	(void)onboarding_records_drop_next(r, NULL);
	onboarding_record_release(&r->next);
	return 0;
}

/* Removes the file that an interrupted write has left, since a token may be in it. */
static void remove_left_over(const char *directory, const char *file)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s.new", directory, file);
	(void)unlink(path);
}

/* Loads the newer record. One that is enrolled is never in this file, since it becomes the record
 * in force. */
static void load_next(struct onboarding_records *r, struct err *ret_problem)
{
	int rc = onboarding_record_load(&r->next, r->directory, ONBOARDING_NEXT_FILE, ret_problem);

	if (is_missing(rc))
		ret_problem->code = 0;
	if (rc < 0 || !onboarding_is_enrolled(&r->next))
		return;
	(void)err_set(ret_problem, -EBADMSG, "%s/" ONBOARDING_NEXT_FILE ": state: found %s",
		      r->directory, onboarding_state_name(r->next.state));
	onboarding_record_release(&r->next);
}

int onboarding_records_load(struct onboarding_records *ret, const char *directory,
			    struct err *ret_problem, struct err *err)
{
	struct onboarding_records r = {.directory = directory};
	int rc = onboarding_record_load(&r.now, directory, ONBOARDING_FILE, err);

	ret_problem->code = 0;
	remove_left_over(directory, ONBOARDING_FILE);
	remove_left_over(directory, ONBOARDING_NEXT_FILE);
	if (rc < 0 && !is_missing(rc))
		return rc;
	load_next(&r, ret_problem);
	rc = settle(&r, err);
	if (rc < 0) {
		onboarding_records_release(&r);
		return rc;
	}
	*ret = r;
	return 0;
}

void onboarding_records_release(struct onboarding_records *r)
{
	onboarding_record_release(&r->now);
	onboarding_record_release(&r->next);
}

struct onboarding_record *onboarding_records_tried(struct onboarding_records *r)
{
	return r->next.state == ONBOARDING_UNCONFIGURED ? &r->now : &r->next;
}

int onboarding_records_save(const struct onboarding_records *r,
			    const struct onboarding_record *record, struct err *err)
{
	return onboarding_record_save(record, r->directory,
				      record == &r->next ? ONBOARDING_NEXT_FILE : ONBOARDING_FILE,
				      err);
}

int onboarding_records_replace(struct onboarding_records *r, struct onboarding_record *place,
			       struct onboarding_record *what, struct err *err)
{
	struct onboarding_record before = *place;
	int rc;

	*place = *what;
	rc = onboarding_records_save(r, place, err);
	if (rc < 0)
		*place = before;
	onboarding_record_release(rc < 0 ? what : &before);
	return rc;
}

void onboarding_records_promote(struct onboarding_records *r)
{
	if (r->next.state == ONBOARDING_UNCONFIGURED)
		return;
	onboarding_record_release(&r->now);
	r->now = r->next;
	memset(&r->next, 0, sizeof(r->next));
}

int onboarding_records_drop_next(struct onboarding_records *r, struct err *err)
{
	int rc = kept_file_remove(r->directory, ONBOARDING_NEXT_FILE, err);

	if (is_missing(rc))
		rc = directory_sync(r->directory, err);
	if (rc == 0)
		onboarding_record_release(&r->next);
	return rc;
}
