/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/request.h"

#include <errno.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/add.h"
#include "integrity/boot_lock.h"
#include "integrity/findings.h"
#include "integrity/integrity.h"
#include "integrity/migrate.h"
#include "integrity/recover.h"
#include "integrity/recovery.h"
#include "integrity/reseal.h"
#include "integrity/seal_record.h"
#include "integrity/turn.h"
#include "integrity/unlock.h"
#include "integrity/zeroize.h"

static int take_turn(const struct config_integrity *config, int *ret_lock, struct failure *f)
{
	memset(f, 0, sizeof(*f));
	if (!findings_enabled(config))
		return failure_set(f, CAUSE_CONFIGURATION, -EINVAL,
				   "it says that nothing is to be encrypted");
	return turn_take(config, ret_lock, f);
}

/* Does the configuration name more directories than the record? A record that cannot be read is
 * reported by the unlock. */
static bool has_more(const struct config_integrity *config)
{
	struct seal_record record = {0};
	bool more =
		seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE, NULL) < 0 ||
		add_count(config, &record) > 0;

	seal_record_release(&record);
	return more;
}

int integrity_enable(const struct config_integrity *config, bool migrate, struct failure *f)
{
	_cleanup_(turn_end) int lock = -1;
	struct integrity state = {0};
	struct findings found = {0};
	int rc = take_turn(config, &lock, f);

	if (rc == 0)
		rc = findings_gather(config, &found, f);
	if (rc < 0)
		return rc;
	if (found.boot.record == RECORD_WHOLE && !has_more(config) &&
	    !(migrate && migrate_is_pending(config)))
		return failure_set(f, CAUSE_CONFIGURATION, -EALREADY,
				   "the directories are encrypted already");
	if (migrate && migrate_begin(config, f) < 0)
		return f->err.code;
	rc = integrity_act(config, &found, &state, f);
	if (migrate && (rc < 0 || state.state != INTEGRITY_UNLOCKED) &&
	    !seal_record_exists(config->record_directory, SEAL_RECORD_NEW_FILE))
		migrate_put_back(config);
	/* When an operator asks for it, a system that cannot take part is an error. */
	if (rc == 0 && state.state != INTEGRITY_UNLOCKED)
		return err_set(&f->err, -EOPNOTSUPP, "%s", state.reason);
	if (rc == 0)
		rc = migrate_finish(config, migrate, f);
	if (rc == 0)
		boot_lock_close(config);
	return rc;
}

int integrity_reseal(const struct config_integrity *config, struct failure *f)
{
	_cleanup_(turn_end) int lock = -1;
	struct seal_record record = {0};
	int rc = take_turn(config, &lock, f);

	if (rc < 0)
		return rc;
	rc = seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE, &f->err);
	if (rc == -ENOENT)
		return failure_set(f, CAUSE_CONFIGURATION, rc, "nothing is encrypted yet");
	if (rc < 0)
		return failure_because(f, CAUSE_RECORD_CHANGED);
	rc = reseal(config, &record, f);
	seal_record_release(&record);
	if (rc == 0) {
		log_event(LOG_INTEGRITY_RESEALED, NULL,
			  "the key of the encrypted directories is sealed anew: a copy of %s/%s "
			  "that was made before opens nothing any more, make another",
			  config->record_directory, SEAL_RECORD_FILE);
		boot_lock_close(config);
	}
	return rc;
}

/* Reads the directories from the record, or from recovery.json if the record cannot be read. */
static int load_for_recovery(const struct config_integrity *config, struct seal_record *ret,
			     struct failure *f)
{
	const char *const directory = config->record_directory;

	if (seal_record_load(ret, directory, SEAL_RECORD_FILE, NULL) == 0)
		return 0;
	if (recovery_load(config, ret, &f->err) < 0)
		return failure_because(f, CAUSE_RECORD_CHANGED);
	return 0;
}

int integrity_recover(const struct config_integrity *config, const struct secret *fek,
		      struct failure *f)
{
	_cleanup_(turn_end) int lock = -1;
	struct seal_record record = {0};
	const struct unlock_task task = {.config = config, .record = &record};
	struct failure ignored = {0};
	struct unlock_by by = {0};
	bool already = false;
	int rc = take_turn(config, &lock, f);

	if (rc == 0)
		rc = load_for_recovery(config, &record, f);
	if (rc == 0 && record.key_handle && unlock_directories(&task, &already, &by, &ignored) == 0)
		rc = failure_set(f, CAUSE_CONFIGURATION, -EALREADY,
				 "the directories open without: there is nothing to recover");
	if (rc == 0)
		rc = recover(config, &record, fek, f);
	for (size_t i = 0; rc == 0 && i < record.n_directories; i++)
		log_event(LOG_INTEGRITY_SEALED_ANEW, NULL,
			  "%s was opened with the recovery key, and is sealed to this TPM",
			  record.directories[i].path);
	if (rc == 0)
		boot_lock_close(config);
	seal_record_release(&record);
	return rc;
}

int integrity_zeroize(const struct config_integrity *config, struct failure *f)
{
	_cleanup_(turn_end) int lock = -1;
	struct seal_record record = {0};
	struct err unreadable;
	bool readable;
	int rc;

	memset(f, 0, sizeof(*f));
	rc = turn_take(config, &lock, f);
	if (rc < 0)
		return rc;
	readable = seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE,
				    &unreadable) == 0;
	rc = zeroize(config, readable ? &record : NULL, f);
	seal_record_release(&record);
	if (rc == 0)
		log_event(LOG_INTEGRITY_ZEROIZED, NULL,
			  "the encrypted directories are removed, and nothing opens them any more");
	return rc;
}
