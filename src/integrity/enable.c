/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/enable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/ability.h"
#include "integrity/contents.h"
#include "integrity/enable_keys.h"
#include "integrity/fek.h"
#include "integrity/sealed_directory.h"
#include "integrity/tpm_child.h"
#include "integrity/tpm_child_retry.h"

static struct enabling *enabling_new(const struct config_integrity *config, struct failure *f)
{
	struct enabling *e = tpm_child_alloc(sizeof(*e), f);

	if (!e)
		return NULL;
	e->config = config;
	e->policy.bank = tpm_bank(config->pcr_bank);
	seal_record_known_names(config->record_directory, e->known);
	e->n_named = findings_named_indices(config, e->named);
	return e;
}

/* The record is removed last, since it names the keys that are ours. */
static int undo_directories(const struct config_integrity *config, struct failure *f)
{
	for (size_t i = 0; i < config->n_directories; i++) {
		int rc = sealed_directory_undo(config->directories[i], f);

		if (rc < 0)
			return rc;
	}
	if (seal_record_remove_new(config->record_directory, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	return 0;
}

static int make_directories(struct enabling *e, struct seal_record *record, struct failure *f)
{
	const struct secret fek = {.bytes = e->fek, .size = FSCRYPT_FEK_SIZE};

	for (size_t i = 0; i < e->config->n_directories; i++) {
		struct seal_directory *directory = &record->directories[i];
		int rc;

		directory->path = strdup(e->config->directories[i]);
		if (!directory->path)
			return failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
		record->n_directories++;
		directory->keeps = true;
		rc = sealed_directory_make(directory->path, &fek, directory->identifier, f);
		if (rc < 0)
			return rc;
		log_event(LOG_INTEGRITY_FINDING, NULL, "%s is made and encrypted", directory->path);
	}
	return 0;
}

static int fill_record(struct enabling *e, struct seal_record *record, struct failure *f)
{
	char label[SEAL_RECORD_LABEL_SIZE];

	record->key_handle = e->config->key_handle;
	record->key_name = e->key.name;
	record->ek_name = e->ek_name;
	memcpy(record->srk, e->srk, e->srk_size);
	record->srk_size = e->srk_size;
	record->policy = e->policy;
	if (seal_record_label(record, label) < 0)
		return failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
	if (fek_wrap(&e->key.public, e->fek, label, record->wrapped_fek, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	return 0;
}

static int write_record(const struct config_integrity *config, const struct seal_record *record,
			struct failure *f)
{
	int rc = directory_provide(config->record_directory, 0700, f);

	if (rc < 0)
		return rc;
	if (seal_record_save(record, config->record_directory, SEAL_RECORD_NEW_FILE, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	for (size_t i = 0; i < record->n_directories && rc == 0; i++)
		rc = filesystem_sync(record->directories[i].path, f);
	return rc == 0 ? filesystem_sync(config->record_directory, f) : rc;
}

static int publish_record(const struct config_integrity *config, struct failure *f)
{
	if (seal_record_publish(config->record_directory, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	return 0;
}

/* Seals, up to writing the pin. */
static int seal(struct enabling *e, struct seal_record *record, struct failure *f)
{
	int rc = undo_directories(e->config, f);

	if (rc == 0)
		rc = make_directories(e, record, f);
	if (rc == 0)
		rc = fill_record(e, record, f);
	if (rc == 0)
		rc = write_record(e->config, record, f);
	if (rc == 0) {
		e->record = record;
		rc = enable_keys_commit(e, f);
	}
	return rc;
}

/* If this system cannot take part, everything is left as it was found, and the boot goes on
 * without encryption. An integrity event stays an event. */
static int give_up(struct enabling *e, int rc, struct failure *f)
{
	struct failure ignored = {0};
	bool pin_written = false;

	if (f->cause == CAUSE_RECORD_LOST)
		return rc;
	/* The key of the new record may be in the TPM by now. */
	seal_record_known_names(e->config->record_directory, e->known);
	if (enable_keys_undo(e, &pin_written, &ignored) == 0)
		(void)undo_directories(e->config, &ignored);
	if (pin_written)
		return rc;
	f->err.code = -EOPNOTSUPP;
	return -EOPNOTSUPP;
}

static int enable_with(struct enabling *e, struct failure *f)
{
	struct seal_record record = {0};
	int rc = enable_keys_make(e, f);

	if (rc == -EEXIST)
		return rc;
	if (rc < 0) {
		f->err.code = -EOPNOTSUPP;
		return -EOPNOTSUPP;
	}
	rc = seal(e, &record, f);
	if (rc < 0) {
		seal_record_release(&record);
		return give_up(e, rc, f);
	}
	rc = publish_record(e->config, f);
	if (rc == 0)
		rc = contents_hand_over(&record, e->contents_key, f);
	seal_record_release(&record);
	if (rc == 0 && policy_opened_save(e->config, &e->opened, &f->err) < 0)
		rc = failure_because(f, CAUSE_SYSTEM);
	return rc;
}

int enable(const struct config_integrity *config, struct failure *f)
{
	struct enabling *e;
	int rc;

	f->step = STEP_ENABLE;
	rc = ability_of_directories(config, f);
	if (rc < 0)
		return rc;
	e = enabling_new(config, f);
	if (!e)
		return f->err.code;
	rc = enable_with(e, f);
	tpm_child_free(e, sizeof(*e));
	return rc;
}

static int lock_pin(struct tpm *t, void *shared, struct failure *f)
{
	const struct config_integrity *config = *(const struct config_integrity *const *)shared;
	int rc = pin_lock(t, config->nv_index, &f->err);

	return rc < 0 ? failure_because(f, failure_tpm_cause(rc)) : 0;
}

int enable_finish(const struct config_integrity *config, struct failure *f)
{
	int rc;

	f->step = STEP_ENABLE;
	rc = tpm_child_ask(config->tcti, TPM_DEVICE_WAIT_MS, lock_pin, &config, f);
	return rc < 0 ? rc : publish_record(config, f);
}
