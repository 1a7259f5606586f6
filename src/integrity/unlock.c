/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/unlock.h"

#include <errno.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/add.h"
#include "integrity/contents.h"
#include "integrity/fscrypt_key.h"
#include "integrity/mounts.h"
#include "integrity/stopwatch.h"
#include "integrity/tpm_child.h"
#include "integrity/unseal.h"

/* All of them: one that is not as recorded keeps the others closed too. */
static int check_directories(const struct seal_record *record, bool were_open[SEAL_DIRECTORIES_MAX],
			     bool *ret_present, struct failure *f)
{
	*ret_present = true;
	for (size_t i = 0; i < record->n_directories; i++) {
		const struct seal_directory *directory = &record->directories[i];
		int rc = fscrypt_check(directory->path, directory->identifier, &were_open[i], f);

		/* A mount point is there all the same, and plain. */
		if (rc < 0 && mount_check(directory->path, f) < 0)
			return -ENOENT;
		if (rc < 0)
			return rc;
		*ret_present &= were_open[i];
	}
	return 0;
}

static enum integrity_step step_of(enum integrity_cause cause)
{
	switch (cause) {
	case CAUSE_METADATA_MISSING:
	case CAUSE_FSCRYPT_NOT_SET_UP:
	case CAUSE_FSCRYPT_MISSING:
	case CAUSE_FSCRYPT_REFUSED:
		return STEP_PASS;
	default:
		return STEP_UNLOCK;
	}
}

/* Those before n that were locked; the failure that is to be told stays. */
static void lock_again(const struct seal_record *record, const bool *were_open, size_t n)
{
	struct failure ignored;

	for (size_t i = 0; i < n; i++)
		if (!were_open[i])
			(void)fscrypt_lock(record->directories[i].path, &ignored);
}

/* In the child that has unsealed, whose memory is locked: a process for each directory would take
 * most of the time. What stays locked here is the tool's, which has the words for why. */
static void open_without_tool(struct unsealing *u)
{
	const struct secret fek = {.bytes = u->fek, .size = FSCRYPT_FEK_SIZE};

	for (size_t i = 0; i < u->record->n_directories; i++) {
		const struct seal_directory *directory = &u->record->directories[i];
		struct failure f = {0};

		if (fscrypt_key_add(directory->path, directory->identifier, &fek, &f) < 0)
			log_debug("%s: %s", directory->path, f.err.text);
	}
}

static int unlock_each(const struct seal_record *record, const struct secret *fek,
		       const bool were_open[SEAL_DIRECTORIES_MAX], struct failure *f)
{
	for (size_t i = 0; i < record->n_directories; i++) {
		const struct seal_directory *directory = &record->directories[i];
		struct stopwatch watch = stopwatch_start();
		int rc = fscrypt_unlock(directory->path, directory->identifier, fek, f);

		if (rc < 0) {
			f->step = step_of(f->cause);
			lock_again(record, were_open, i + 1);
			return rc;
		}
		stopwatch_step(&watch, directory->path, 0);
	}
	return 0;
}

/* The record's own key is none of them. */
static void name_left(struct unsealing *u)
{
	TPM2B_NAME known[SEAL_KNOWN_NAMES] = {0};
	size_t n = 0;

	/* Once in a reseal's life only, and after one: nothing else leaves a key. */
	if (u->record->previous_key_name.size == 0 &&
	    !seal_record_exists(u->config->record_directory, SEAL_RECORD_NEW_FILE))
		return;
	seal_record_known_names(u->config->record_directory, known);
	for (size_t i = 0; i < N_ELEMENTS(known); i++)
		if (known[i].size > 0 && !tpm_name_equal(&known[i], &u->record->key_name))
			u->left[n++] = known[i];
}

/* What it named is gone, or never came. */
static void tidy_up(const struct unsealing *u)
{
	const char *directory = u->config->record_directory;
	struct err err;

	if (u->evicted_left)
		log_event(LOG_INTEGRITY_RECOVERED, NULL,
			  "a reseal was interrupted: the key that is not the record's is removed "
			  "from the TPM");
	/* As long as it is there the key has a name. */
	if (u->left_is_gone && seal_record_exists_new(directory) &&
	    seal_record_remove_new(directory, &err) < 0)
		log_debug("%s", err.text);
}

static int check_all(const struct unsealing *u, bool were_open[SEAL_DIRECTORIES_MAX],
		     bool *ret_present, struct failure *f)
{
	int rc = check_directories(u->record, were_open, ret_present, f);

	return rc == 0 ? add_check(u->config, u->record, f) : rc;
}

static int unlock_with(struct unsealing *u, bool *ret_already, struct failure *f)
{
	const struct secret fek = {.bytes = u->fek, .size = FSCRYPT_FEK_SIZE};
	const bool adds = add_count(u->config, u->record) > 0;
	bool were_open[SEAL_DIRECTORIES_MAX] = {false};
	struct failure of_directories = {.step = STEP_UNLOCK};
	bool present = false;
	int directories_rc = check_all(u, were_open, &present, &of_directories);
	int rc;

	u->locate_only =
		directories_rc < 0 || (present && !adds && contents_are_handed_over(u->record));
	if (directories_rc == 0)
		name_left(u);
	if (directories_rc == 0 && !present)
		u->unsealed = open_without_tool;
	rc = unseal(u, f);
	/* It may have ended after it had opened some. */
	if (rc < 0 && u->unsealed && u->verdict != UNSEAL_REFUSED)
		lock_again(u->record, were_open, u->record->n_directories);
	if (rc == 0 && directories_rc == 0)
		tidy_up(u);
	if (rc == 0 && directories_rc < 0) {
		*f = of_directories;
		rc = directories_rc;
	}
	if (rc == 0 && !present)
		rc = unlock_each(u->record, &fek, were_open, f);
	if (rc == 0 && !u->locate_only) {
		rc = contents_hand_over(u->record, u->contents_key, f);
		if (rc < 0 && !present)
			lock_again(u->record, were_open, u->record->n_directories);
	}
	if (rc == 0 && adds) {
		rc = add_directories(u->config, u->record, &fek, f);
		if (rc < 0 && !present)
			lock_again(u->record, were_open, u->record->n_directories);
	}
	if (rc == 0)
		*ret_already = present;
	return rc;
}

static int unlock_once(const struct unlock_task *task, bool *ret_already, struct unlock_by *ret_by,
		       struct failure *f)
{
	struct unsealing *u = tpm_child_alloc(sizeof(*u), f);
	int rc;

	if (!u)
		return f->err.code;
	u->config = task->config;
	u->record = task->record;
	u->check = task->check;
	rc = unlock_with(u, ret_already, f);
	if (rc == 0)
		*ret_by = u->by;
	tpm_child_free(u, sizeof(*u));
	return rc;
}

static bool is_mounted(const struct seal_record *record)
{
	struct failure ignored;

	for (size_t i = 0; i < record->n_directories; i++)
		if (mount_check(record->directories[i].path, &ignored) < 0)
			return false;
	return true;
}

/* The directories are looked at before the TPM is waited for: they may have come since. */
int unlock_directories(const struct unlock_task *task, bool *ret_already, struct unlock_by *ret_by,
		       struct failure *f)
{
	const struct failure none = *f;
	int rc = unlock_once(task, ret_already, ret_by, f);

	if (rc < 0 && f->cause == CAUSE_NOT_MOUNTED && is_mounted(task->record)) {
		*f = none;
		rc = unlock_once(task, ret_already, ret_by, f);
	}
	return rc;
}
