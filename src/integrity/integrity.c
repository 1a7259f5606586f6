/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/integrity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/add.h"
#include "integrity/boot_lock.h"
#include "integrity/enable.h"
#include "integrity/findings.h"
#include "integrity/migrate.h"
#include "integrity/policy_choose.h"
#include "integrity/seal_record.h"
#include "integrity/turn.h"
#include "integrity/unlock.h"

#define LOOKS_MAX 3

static const char *const state_names[] = {
	[INTEGRITY_OFF] = "off",
	[INTEGRITY_UNSUPPORTED] = "unsupported",
	[INTEGRITY_UNLOCKED] = "unlocked",
};

const char *integrity_state_name(enum integrity_state state)
{
	return state_names[state];
}

/* Everything is open. What fails here is done at the next boot. */
static void settle_policy(const struct config_integrity *config, struct unlock_by *by)
{
	struct failure f = {0};

	if (by->policy.ends_older && by->opened.count < by->policy.generation) {
		if (policy_end_older(config, &by->policy, &by->opened.count, &f) == 0)
			log_event(LOG_INTEGRITY_POLICIES_ENDED, NULL,
				  "policies older than generation %llu open nothing any more",
				  (unsigned long long)by->opened.count);
		else
			log_event(LOG_INTEGRITY_NOT_SETTLED,
				  &(struct log_fields){.reason = f.err.text},
				  "old policies are not ended: %s", f.err.text);
	}
	if (policy_store_prune(config, by->opened.count, &f.err) < 0 ||
	    policy_opened_save(config, &by->opened, &f.err) < 0)
		log_event(LOG_INTEGRITY_NOT_SETTLED, &(struct log_fields){.reason = f.err.text},
			  "the policies beside the record are not as they should be: %s",
			  f.err.text);
}

static int finish_addition(const struct config_integrity *config, struct failure *f)
{
	bool finished = false;
	int rc;

	if (!seal_record_exists(config->record_directory, SEAL_RECORD_NEW_FILE))
		return 0;
	rc = add_finish(config, &finished, f);
	if (finished)
		log_event(LOG_INTEGRITY_RECOVERED, NULL,
			  "power failed while a directory was being added, but after its pin was "
			  "written: finished");
	return rc;
}

static int unlock_by_record(const struct config_integrity *config, const struct unlock_check *check,
			    struct integrity *ret, struct failure *f)
{
	struct seal_record record = {0};
	const struct unlock_task task = {.config = config, .record = &record, .check = check};
	struct unlock_by by = {0};
	bool already = false;
	int rc = finish_addition(config, f);

	if (rc < 0)
		return rc;
	if (seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE, &f->err) < 0)
		return failure_because(f, CAUSE_RECORD_CHANGED);
	rc = unlock_directories(&task, &already, &by, f);
	for (size_t i = 0; rc == 0 && !already && i < record.n_directories; i++)
		log_event(LOG_INTEGRITY_UNLOCKED, NULL, "%s is unlocked",
			  record.directories[i].path);
	if (rc == 0 && already)
		log_debug("all directories are unlocked already");
	if (rc == 0 && by.opened.name[0]) {
		log_event(LOG_INTEGRITY_POLICY, NULL,
			  "opened under the policy '%s' of generation %llu", by.opened.name,
			  (unsigned long long)by.opened.generation);
		settle_policy(config, &by);
	}
	seal_record_release(&record);
	if (rc == 0)
		ret->state = INTEGRITY_UNLOCKED;
	return rc;
}

static int unsupported(const struct config_integrity *config, struct integrity *ret,
		       struct failure *f)
{
	if (config->required)
		return failure_because(f, CAUSE_REQUIRED);
	ret->state = INTEGRITY_UNSUPPORTED;
	(void)snprintf(ret->reason, sizeof(ret->reason), "%s", f->err.text);
	log_event(LOG_INTEGRITY_UNSUPPORTED, &(struct log_fields){.reason = ret->reason},
		  "the directories are not encrypted, this system cannot take part: %s",
		  ret->reason);
	return 0;
}

static int enable_first(const struct config_integrity *config, struct integrity *ret,
			struct failure *f)
{
	int rc = enable(config, f);

	if (rc == -EOPNOTSUPP)
		return unsupported(config, ret, f);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < config->n_directories; i++)
		log_event(LOG_INTEGRITY_ENABLED, NULL, "%s is encrypted, under a key of this TPM",
			  config->directories[i]);
	ret->state = INTEGRITY_UNLOCKED;
	return 0;
}

static int finish_and_unlock(const struct config_integrity *config, struct integrity *ret,
			     struct failure *f)
{
	int rc = enable_finish(config, f);

	if (rc < 0)
		return rc;
	log_event(LOG_INTEGRITY_RECOVERED, NULL,
		  "power failed while the directories were being encrypted, but after the pin was "
		  "written: finished");
	f->step = STEP_LOCATE;
	return unlock_by_record(config, NULL, ret, f);
}

static int nothing(const struct config_integrity *config, const struct findings *found,
		   struct integrity *ret)
{
	if (found->boot.tpm == BOOT_TPM_FAILS)
		log_event(LOG_INTEGRITY_FINDING, NULL,
			  "nothing is to be encrypted, but the TPM does not tell whether something "
			  "was: %s",
			  found->of_tpm.err.text);
	ret->state = INTEGRITY_OFF;
	(void)snprintf(ret->reason, sizeof(ret->reason), "%s",
		       config->enabled ? "no directory is configured"
				       : "the configuration says enabled: false");
	return 0;
}

static int not_mounted(const struct findings *found, int code, struct failure *f)
{
	*f = found->of_mount;
	f->step = STEP_LOCATE;
	f->err.code = code;
	if (found->boot.tpm != BOOT_TPM_ABSENT)
		return code;
	/* Once the TPM answers, it might say that nothing was sealed. */
	f->tpm_absent = true;
	return err_set(&f->err, code, "%s; and %s", found->of_mount.err.text,
		       found->of_tpm.err.text);
}

static int pin_unread(const struct findings *found, struct failure *f)
{
	*f = found->of_tpm;
	f->step = STEP_LOCATE;
	return f->err.code;
}

static int pin_unnamed(const struct config_integrity *config, const struct findings *found,
		       struct failure *f)
{
	f->step = STEP_START;
	return failure_set(
		f, CAUSE_PIN_UNNAMED, -EEXIST,
		"the TPM has a pin of Steward's at NV index 0x%08x, and no configuration "
		"names that: this one has 0x%08x",
		found->unnamed[0], config->nv_index);
}

static int act(const struct config_integrity *config, const struct unlock_check *check,
	       const struct findings *found, struct integrity *ret, struct failure *f)
{
	f->step = STEP_LOCATE;
	switch (boot_decide(&found->boot)) {
	case BOOT_NOTHING:
		return nothing(config, found, ret);
	case BOOT_UNLOCK:
		return unlock_by_record(config, check, ret, f);
	case BOOT_FINISH:
		return finish_and_unlock(config, ret, f);
	case BOOT_ENABLE:
		return enable_first(config, ret, f);
	case BOOT_CANNOT:
		(void)not_mounted(found, -EOPNOTSUPP, f);
		return unsupported(config, ret, f);
	case BOOT_NOT_MOUNTED:
		return not_mounted(found, -ENOENT, f);
	case BOOT_PIN_UNREAD:
		return pin_unread(found, f);
	case BOOT_PIN_UNNAMED:
		return pin_unnamed(config, found, f);
	case BOOT_NO_TPM:
		return failure_set(f, CAUSE_NO_TPM, -ENODEV,
				   "the TPM at %s does not answer, and there is a record",
				   config->tcti);
	case BOOT_NOT_ENABLED:
		f->step = STEP_START;
		return failure_set(f, CAUSE_CONFIGURATION, -EINVAL,
				   "it says that nothing is encrypted, but there is a %s: it may "
				   "have been changed",
				   found->boot.record != RECORD_NONE ? "record" : "pin in the TPM");
	case BOOT_RECORD_REMOVED:
		return failure_set(f, CAUSE_RECORD_REMOVED, -ENOENT,
				   "the TPM has a pin at NV index 0x%08x, but there is no %s/%s",
				   config->nv_index, config->record_directory, SEAL_RECORD_FILE);
	default:
		return failure_set(f, CAUSE_RECORD_CHANGED, -EBADMSG,
				   "the pin at NV index 0x%08x is not that of %s/%s",
				   config->nv_index, config->record_directory,
				   SEAL_RECORD_NEW_FILE);
	}
}

int integrity_act(const struct config_integrity *config, const struct findings *found,
		  struct integrity *ret, struct failure *f)
{
	return act(config, NULL, found, ret, f);
}

struct look {
	int turn;
	int turn_rc;
	struct failure of_turn;
	struct findings found;
};

static int look_once(const struct config_integrity *config, struct look *ret, struct failure *f)
{
	turn_end(&ret->turn);
	*ret = (struct look){.turn = -1, .of_turn.step = STEP_ENABLE};
	memset(f, 0, sizeof(*f));
	if (findings_enabled(config))
		ret->turn_rc = turn_take(config, &ret->turn, &ret->of_turn);
	return findings_gather(config, &ret->found, f);
}

/* Looks again until nothing changes: while we wait for the TPM, a disk may be mounted, and then
 * the earlier findings are outdated. */
static int look_until_it_stays(const struct config_integrity *config, struct look *ret,
			       struct failure *f)
{
	int rc = 0;

	for (unsigned n = 0; n < LOOKS_MAX; n++) {
		rc = look_once(config, ret, f);
		if (rc < 0 || !findings_are_outdated(config, &ret->found))
			break;
	}
	return rc;
}

static void end_look(const struct look *l)
{
	turn_end(&l->turn);
}

static bool needs_turn(enum boot_action action)
{
	return action == BOOT_UNLOCK || action == BOOT_FINISH;
}

/* There is a record, and nothing that a power cut left: until the FEK is to be decrypted all that
 * is done is to read. */
static bool begins_with_reading(const struct config_integrity *config)
{
	return findings_enabled(config) &&
	       seal_record_exists(config->record_directory, SEAL_RECORD_FILE) &&
	       !seal_record_exists(config->record_directory, SEAL_RECORD_NEW_FILE);
}

static int pass(const struct unlock_check *check, const struct config_integrity *config,
		struct failure *f)
{
	if (!check || begins_with_reading(config) || check->passes(check->owner) == 0)
		return 0;
	return failure_set(f, CAUSE_CONFIGURATION, -ECANCELED, "it is refused");
}

static int settle(const struct config_integrity *config, struct failure *f)
{
	int rc = migrate_finish(config, false, f);

	if (rc < 0)
		return rc;
	migrate_tell_of_pending(config);
	boot_lock_close(config);
	return 0;
}

int integrity_unlock_checked(const struct config_integrity *config,
			     const struct unlock_check *check, struct integrity *ret,
			     struct failure *f)
{
	_cleanup_(end_look) struct look l = {.turn = -1};
	enum boot_action action;
	int rc;

	memset(ret, 0, sizeof(*ret));
	memset(f, 0, sizeof(*f));
	rc = pass(check, config, f);
	if (rc == 0)
		rc = look_until_it_stays(config, &l, f);
	/* The turn may have been waited for. */
	if (rc == 0)
		rc = pass(check, config, f);
	if (rc < 0)
		return rc;
	action = boot_decide(&l.found.boot);
	if (l.turn_rc < 0 && needs_turn(action)) {
		*f = l.of_turn;
		return l.turn_rc;
	}
	/* There is no record directory, and none can be made: this system cannot take part. */
	if (l.turn_rc < 0 && action == BOOT_ENABLE) {
		*f = l.of_turn;
		f->err.code = -EOPNOTSUPP;
		return unsupported(config, ret, f);
	}
	if (action == BOOT_ENABLE)
		migrate_put_back(config);
	rc = act(config, check, &l.found, ret, f);
	return rc == 0 && ret->state == INTEGRITY_UNLOCKED ? settle(config, f) : rc;
}

int integrity_unlock(const struct config_integrity *config, struct integrity *ret,
		     struct failure *f)
{
	return integrity_unlock_checked(config, NULL, ret, f);
}
