/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/add.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/secret.h"
#include "integrity/ability.h"
#include "integrity/boot_lock.h"
#include "integrity/contents.h"
#include "integrity/fek.h"
#include "integrity/mounts.h"
#include "integrity/policy_choose.h"
#include "integrity/recovery.h"
#include "integrity/sealed_directory.h"
#include "integrity/tpm_child_retry.h"
#include "integrity/unseal.h"

/* Shared with the child that speaks to the TPM. */
struct adding {
	const struct config_integrity *config;
	struct seal_record record; /* the record with the added directories */
	uint8_t fek[FSCRYPT_FEK_SIZE];
	uint8_t contents_key[KEPT_KEY_SIZE];
};

size_t add_count(const struct config_integrity *config, const struct seal_record *record)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_directories; i++)
		n += !seal_record_has(record, config->directories[i]);
	return n;
}

static int refuse(const char *path, const char *why, struct failure *f)
{
	f->step = STEP_ENABLE;
	return failure_set(f, CAUSE_DIRECTORY_ADDED, -EEXIST,
			   "%s is in the configuration and not in the record, and cannot be taken "
			   "in: %s",
			   path, why);
}

static int check_one(const char *path, struct failure *f)
{
	struct failure why = {0};
	int rc = mount_check(path, f);

	if (rc < 0)
		return rc;
	rc = ability_of_directory(path, &why);
	if (rc == -ENODATA)
		return refuse(path, "it is encrypted under another key, and has files in it", f);
	return rc < 0 ? refuse(path, why.err.text, f) : 0;
}

int add_check(const struct config_integrity *config, const struct seal_record *record,
	      struct failure *f)
{
	size_t n = add_count(config, record);

	for (size_t i = 0; n > 0 && i < config->n_directories; i++) {
		const char *path = config->directories[i];
		int rc = 0;

		if (seal_record_has(record, path))
			continue;
		if (record->pin_number + 1 >= PIN_CHAIN_MAX ||
		    record->n_directories + n > SEAL_DIRECTORIES_MAX)
			rc = refuse(path, "too many have been added: zeroize and enable anew", f);
		if (rc == 0)
			rc = check_one(path, f);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Checks before anything is made: if the next pin is written already, the record is older than
 * that pin. */
static int check_pin(struct tpm *t, void *shared, struct failure *f)
{
	struct adding *a = shared;
	const TPM2_HANDLE index = pin_index(a->config->nv_index, a->record.pin_number);
	int rc = pin_undefine_unwritten(t, index, &f->err);

	if (rc == -EEXIST)
		return failure_set(f, CAUSE_RECORD_CHANGED, rc,
				   "it is older than the pin at NV index 0x%08x: directories were "
				   "added since",
				   index);
	return rc < 0 ? failure_because(f, failure_tpm_cause(f->err.code)) : 0;
}

/* Proves that what was wrapped can be unwrapped again, under the policy that opened the record
 * itself. */
static int prove(struct tpm *t, struct adding *a, ESYS_TR srk, ESYS_TR key, const char *label,
		 struct failure *f)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	struct pcr_policy policy = a->record.policy;
	uint8_t again[FSCRYPT_FEK_SIZE];
	struct unlock_by by = {0};
	int rc = tpm_session_start(t, srk, TPM2_SE_POLICY, &session, &f->err);

	if (rc == 0)
		rc = boot_lock_check(t, &policy, f);
	if (rc == 0 && policy.authority.is_set)
		rc = policy_choose(t, a->config, &policy, &by.policy, &by.opened, f);
	if (rc == 0)
		rc = fek_unwrap(t, key, &session, &policy, a->record.wrapped_fek, label, again,
				&f->err);
	if (rc == 0 && CRYPTO_memcmp(again, a->fek, FSCRYPT_FEK_SIZE) != 0)
		rc = err_set(&f->err, -EPROTO, "the TPM unwraps another key than was wrapped");
	return rc;
}

/* Wraps the FEK to the key that the record has, under a label that covers the new directories. */
static int wrap(struct tpm *t, struct adding *a, ESYS_TR srk, struct failure *f)
{
	char label[SEAL_RECORD_LABEL_SIZE];
	TPM2B_PUBLIC public;
	TPM2B_NAME name;
	ESYS_TR key;
	int rc = tpm_find(t, a->record.key_handle, &key, &public, &name, &f->err);

	if (rc == 0 && !tpm_name_equal(&name, &a->record.key_name))
		rc = err_set(&f->err, -ENOENT, "the key at 0x%08x is not the record's",
			     a->record.key_handle);
	if (rc == 0 && seal_record_label(&a->record, label) < 0)
		rc = err_set(&f->err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = fek_wrap(&public, a->fek, label, a->record.wrapped_fek, &f->err);
	return rc == 0 ? prove(t, a, srk, key, label, f) : rc;
}

static int wrap_in_child(struct tpm *t, void *shared, struct failure *f)
{
	struct adding *a = shared;
	_cleanup_(srk_release) struct srk srk = {0};
	int rc = srk_open(t, span_of(a->record.srk, a->record.srk_size), &srk, &f->err);

	if (rc == 0 && tpm_child_keep_secrets(f) < 0)
		return f->err.code;
	if (rc == 0)
		rc = wrap(t, a, srk.handle, f);
	if (rc == 0 && kept_key_derive(span_of(a->fek, sizeof(a->fek)), a->contents_key) < 0)
		rc = err_set(&f->err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = recovery_save(a->config, &a->record, a->fek, &f->err);
	/* policy_choose() may have filled the failure already. */
	return rc < 0 && f->cause == CAUSE_NONE ? failure_because(f, failure_tpm_cause(f->err.code))
						: rc;
}

static int commit(struct tpm *t, void *shared, struct failure *f)
{
	struct adding *a = shared;
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	uint8_t pin[PIN_SIZE];
	_cleanup_(srk_release) struct srk srk = {0};
	int rc = srk_open(t, span_of(a->record.srk, a->record.srk_size), &srk, &f->err);

	if (rc == 0)
		rc = tpm_session_start(t, srk.handle, TPM2_SE_HMAC, &session, &f->err);
	if (rc == 0)
		rc = seal_record_pin(&a->record, pin);
	if (rc == 0)
		rc = pin_write(t, pin_index(a->config->nv_index, a->record.pin_number), &session,
			       pin, &f->err);
	return rc < 0 ? failure_because(f, failure_tpm_cause(f->err.code)) : 0;
}

/* What the pin at its index is: -ENOENT = not its own. */
static int finish_addition(struct tpm *t, void *shared, struct failure *f)
{
	struct adding *a = shared;
	const TPM2_HANDLE index = pin_index(a->config->nv_index, a->record.pin_number);
	uint8_t expected[PIN_SIZE];
	struct pin pin = {0};
	int rc = pin_read(t, index, NULL, &pin, &f->err);

	if (rc == 0)
		rc = seal_record_pin(&a->record, expected);
	if (rc == 0 && (!pin_is_written(pin.state) || memcmp(pin.digest, expected, PIN_SIZE) != 0))
		return -ENOENT;
	if (rc == 0)
		rc = pin_lock(t, index, &f->err);
	return rc < 0 ? failure_because(f, failure_tpm_cause(f->err.code)) : 0;
}

static int ask(struct adding *a, tpm_child_work_cb work, struct failure *f)
{
	f->cause = CAUSE_NONE; /* what was found out about the directories is no failure */
	return tpm_child_ask(a->config->tcti, TPM_DEVICE_WAIT_MS, work, a, f);
}

static int make_one(struct adding *a, const char *path, struct failure *f)
{
	const struct secret fek = {.bytes = a->fek, .size = FSCRYPT_FEK_SIZE};
	struct seal_directory *directory = &a->record.directories[a->record.n_directories];
	int rc = sealed_directory_undo(path, f);

	if (rc < 0)
		return rc;
	directory->path = strdup(path);
	if (!directory->path)
		return failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
	directory->keeps = true;
	a->record.n_directories++;
	return sealed_directory_make(path, &fek, directory->identifier, f);
}

static int make_directories(struct adding *a, const struct seal_record *old, struct failure *f)
{
	for (size_t i = 0; i < a->config->n_directories; i++) {
		const char *path = a->config->directories[i];
		int rc = seal_record_has(old, path) ? 0 : make_one(a, path, f);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int write_record(struct adding *a, size_t from, struct failure *f)
{
	const char *records = a->config->record_directory;
	int rc = 0;

	if (seal_record_save(&a->record, records, SEAL_RECORD_NEW_FILE, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	for (size_t i = from; rc == 0 && i < a->record.n_directories; i++)
		rc = filesystem_sync(a->record.directories[i].path, f);
	return rc == 0 ? filesystem_sync(records, f) : rc;
}

static int publish(const struct config_integrity *config, struct failure *f)
{
	if (seal_record_publish(config->record_directory, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	return 0;
}

static int add_all(struct adding *a, const struct seal_record *old, struct failure *f)
{
	int rc = ask(a, check_pin, f);

	if (rc == 0)
		rc = make_directories(a, old, f);
	if (rc == 0)
		rc = ask(a, wrap_in_child, f);
	if (rc == 0)
		rc = write_record(a, old->n_directories, f);
	if (rc == 0)
		rc = ask(a, commit, f);
	if (rc == 0)
		rc = publish(a->config, f);
	if (rc == 0)
		rc = contents_hand_over(&a->record, a->contents_key, f);
	for (size_t i = old->n_directories; rc == 0 && i < a->record.n_directories; i++)
		log_event(
			LOG_INTEGRITY_ENABLED, NULL,
			"%s is encrypted too, under the same key: keep a copy of the record, which "
			"is another one now",
			a->record.directories[i].path);
	return rc;
}

/* Empty ones; whether the pin was written after all is told at the next boot, by record.json.new.
 */
static void undo(const struct adding *a, const struct seal_record *old)
{
	struct failure ignored = {0};

	if (seal_record_exists(a->config->record_directory, SEAL_RECORD_NEW_FILE))
		return;
	for (size_t i = old->n_directories; i < a->record.n_directories; i++)
		(void)sealed_directory_undo(a->record.directories[i].path, &ignored);
}

int add_directories(const struct config_integrity *config, const struct seal_record *record,
		    const struct secret *fek, struct failure *f)
{
	struct adding *a = tpm_child_alloc(sizeof(*a), f);
	int rc;

	if (!a)
		return f->err.code;
	f->step = STEP_ENABLE;
	a->config = config;
	a->record = *record;
	a->record.pin_number++;
	secret_copy(a->fek, fek->bytes, FSCRYPT_FEK_SIZE);
	rc = add_all(a, record, f);
	if (rc < 0)
		undo(a, record);
	for (size_t i = record->n_directories; i < a->record.n_directories; i++)
		free(a->record.directories[i].path);
	tpm_child_free(a, sizeof(*a));
	return rc;
}

int add_finish(const struct config_integrity *config, bool *ret_finished, struct failure *f)
{
	struct adding *a = tpm_child_alloc(sizeof(*a), f);
	int rc;

	if (!a)
		return f->err.code;
	*ret_finished = false;
	a->config = config;
	rc = seal_record_load(&a->record, config->record_directory, SEAL_RECORD_NEW_FILE, NULL);
	/* A record.json.new that cannot be read, or belongs to a reseal, is removed by the unlock.
	 */
	if (rc == 0 && a->record.pin_number > 0) {
		rc = ask(a, finish_addition, f);
		if (rc == 0)
			rc = publish(config, f);
		*ret_finished = rc == 0;
		rc = rc == -ENOENT ? 0 : rc;
	} else {
		rc = 0;
	}
	seal_record_release(&a->record);
	tpm_child_free(a, sizeof(*a));
	return rc;
}
