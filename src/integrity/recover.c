/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/recover.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "integrity/ability.h"
#include "integrity/contents.h"
#include "integrity/enable_keys.h"
#include "integrity/fek.h"
#include "integrity/policy_choose.h"
#include "integrity/recovery.h"
#include "integrity/tpm_child.h"
#include "integrity/tpm_child_retry.h"

/* Shared with the child. */
struct recovering {
	const struct config_integrity *config;
	const struct seal_record *old;
	struct seal_record new; /* its directories are the old one's */
	struct wrapping_key key;
	struct signed_policy by;     /* what new.policy.by points to */
	struct policy_opened opened; /* the same, for who asks */
	uint8_t fek[FSCRYPT_FEK_SIZE];
	uint8_t contents_key[KEPT_KEY_SIZE];
};

/* An open directory does not prove that this key fits, so it is locked first. Open files can keep
 * it from being locked completely, but its key is removed nevertheless. */
static int open_by_key(const struct seal_directory *directory, const struct secret *fek,
		       struct failure *f)
{
	bool unlocked = false;
	int rc = fscrypt_check(directory->path, directory->identifier, &unlocked, f);

	if (rc == 0)
		rc = fscrypt_setup(directory->path, f);
	if (rc == 0 && unlocked) {
		rc = fscrypt_lock(directory->path, f);
		if (rc == -EBUSY)
			rc = 0;
	}
	return rc == 0 ? fscrypt_unlock(directory->path, directory->identifier, fek, f) : rc;
}

static int open_all(const struct seal_record *record, const struct secret *fek, struct failure *f)
{
	struct failure ignored;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < record->n_directories; i++)
		rc = open_by_key(&record->directories[i], fek, f);
	if (rc == 0)
		return 0;
	for (size_t i = 0; i < record->n_directories; i++)
		(void)fscrypt_lock(record->directories[i].path, &ignored);
	(void)err_wrap(&f->err, "not opened by this key");
	return rc;
}

/* Finds a handle that is free, or that holds a key which a record of this machine names and no
 * longer needs. */
static int find_handle(struct tpm *t, struct recovering *r, const TPM2B_NAME *known,
		       struct err *err)
{
	TPM2B_NAME name;

	for (unsigned i = 0; i < KEY_HANDLES; i++) {
		const TPM2_HANDLE handle = r->config->key_handle + i;
		int rc = tpm_find(t, handle, NULL, NULL, &name, err);

		if (rc < 0 && rc != -ENOENT)
			return rc;
		r->new.key_handle = handle;
		if (rc == -ENOENT)
			return 0;
		for (size_t n = 0; n < SEAL_KNOWN_NAMES; n++)
			if (tpm_name_equal(&known[n], &name) &&
			    !tpm_name_equal(&r->old->key_name, &name))
				return wrapping_key_evict(t, handle, err);
	}
	return err_set(err, -EEXIST,
		       "the handles 0x%08x and 0x%08x are both taken in this TPM, and not by what "
		       "the records here name",
		       r->config->key_handle, r->config->key_handle + 1);
}

/* Finds the pin at one of the possible indices. If none is written, the first index is used. */
static int find_pin(struct tpm *t, struct recovering *r, enum pin_state *ret, struct failure *f)
{
	enum pin_state first = PIN_ABSENT;
	uint8_t expected[PIN_SIZE];
	bool others = false;

	if (seal_record_pin(r->old, expected) < 0)
		return failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
	for (unsigned i = 0; i < PIN_CHAIN_MAX; i++) {
		struct pin pin = {0};

		if (pin_read(t, pin_index(r->config->nv_index, i), NULL, &pin, &f->err) < 0)
			return failure_because(f, failure_tpm_cause(f->err.code));
		if (i == 0)
			first = pin.state;
		if (!pin_is_written(pin.state))
			continue;
		others = true;
		if (memcmp(pin.digest, expected, PIN_SIZE) == 0) {
			r->new.pin_number = i;
			*ret = pin.state;
			return 0;
		}
	}
	*ret = first;
	if (!others && first != PIN_FOREIGN)
		return 0;
	return failure_set(f, CAUSE_PIN_UNNAMED, -EEXIST,
			   "what this TPM has at NV index 0x%08x is of other directories than "
			   "these",
			   r->config->nv_index);
}

static int wrap(struct recovering *r, struct err *err)
{
	char label[SEAL_RECORD_LABEL_SIZE];

	r->new.key_name = r->key.name;
	r->new.previous_key_name = r->old->key_name;
	if (seal_record_label(&r->new, label) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return fek_wrap(&r->key.public, r->fek, label, r->new.wrapped_fek, err);
}

static int write_pin(struct tpm *t, const struct recovering *r, const struct tpm_object *session,
		     enum pin_state found, struct err *err)
{
	const TPM2_HANDLE index = pin_index(r->config->nv_index, r->new.pin_number);
	uint8_t pin[PIN_SIZE];
	int rc = seal_record_pin(&r->new, pin);

	if (rc == 0 && pin_is_written(found))
		return pin_lock(t, index, err);
	if (rc == 0)
		rc = pin_undefine_unwritten(t, index, err);
	return rc == 0 ? pin_write(t, index, session, pin, err) : rc;
}

/* Seals in the order of an enablement: the step that commits comes last. */
static int seal(struct tpm *t, struct recovering *r, enum pin_state found, struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	_cleanup_(tpm_flush) struct tpm_object loaded = TPM_OBJECT_NONE(t);
	const char *const directory = r->config->record_directory;
	ESYS_TR srk;
	int rc = srk_provide(t, &srk, err);

	if (rc == 0)
		rc = srk_save(t, srk, r->new.srk, &r->new.srk_size, err);
	if (rc == 0)
		rc = tpm_ek_name(t, &r->new.ek_name, err);
	if (rc == 0)
		rc = tpm_session_start(t, srk, TPM2_SE_HMAC, &session, err);
	if (rc == 0)
		rc = wrapping_key_create(t, srk, &session, &r->new.policy, &r->key, err);
	if (rc == 0)
		rc = wrapping_key_load(t, srk, &session, &r->key, &loaded, err);
	if (rc == 0)
		rc = wrap(r, err);
	if (rc == 0)
		rc = enable_keys_prove(t, srk, loaded.handle, &r->new, r->fek, err);
	if (rc == 0)
		rc = seal_record_save(&r->new, directory, SEAL_RECORD_NEW_FILE, err);
	if (rc == 0)
		rc = recovery_save(r->config, &r->new, r->fek, err);
	if (rc == 0)
		rc = wrapping_key_persist(t, &loaded, r->new.key_handle, err);
	if (rc == 0)
		rc = write_pin(t, r, &session, found, err);
	return rc == 0 ? seal_record_publish(directory, err) : rc;
}

/* Evicts the key that was replaced, if it is in this TPM. If this fails, the next boot does it. */
static void evict_old(struct tpm *t, const struct recovering *r)
{
	TPM2B_NAME name;

	if (r->old->key_handle &&
	    r->old->key_handle !=
		    r->new.key_handle &&tpm_find(t, r->old->key_handle, NULL, NULL, &name, NULL) ==
		    0 &&
	    tpm_name_equal(&name, &r->old->key_name))
		(void)wrapping_key_evict(t, r->old->key_handle, NULL);
}

static int seal_anew(struct tpm *t, void *shared, struct failure *f)
{
	struct recovering *r = shared;
	TPM2B_NAME known[SEAL_KNOWN_NAMES] = {0};
	enum pin_state found = PIN_ABSENT;
	int rc = tpm_child_keep_secrets(f);

	if (rc == 0 && kept_key_derive(span_of(r->fek, sizeof(r->fek)), r->contents_key) < 0)
		rc = failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = find_pin(t, r, &found, f);
	seal_record_known_names(r->config->record_directory, known);
	if (rc == 0)
		rc = ability_of_tpm(t, r->config, known, N_ELEMENTS(known), &r->new.policy, f);
	if (rc == 0)
		rc = policy_prepare(t, r->config, &r->new.policy, &r->by, &r->opened, f);
	if (rc < 0)
		return rc;
	if (find_handle(t, r, known, &f->err) < 0 || seal(t, r, found, &f->err) < 0)
		return failure_because(f, failure_tpm_cause(f->err.code));
	evict_old(t, r);
	return 0;
}

int recover(const struct config_integrity *config, const struct seal_record *record,
	    const struct secret *fek, struct failure *f)
{
	struct recovering *r;
	int rc;

	f->step = STEP_UNLOCK;
	if (recovery_check(config, &f->err) < 0)
		return failure_because(f, CAUSE_CONFIGURATION);
	rc = open_all(record, fek, f);
	if (rc < 0)
		return rc;
	r = tpm_child_alloc(sizeof(*r), f);
	if (!r)
		return f->err.code;
	f->step = STEP_ENABLE;
	r->config = config;
	r->old = record;
	memcpy(r->new.directories, record->directories, sizeof(r->new.directories));
	r->new.n_directories = record->n_directories;
	secret_copy(r->fek, fek->bytes, FSCRYPT_FEK_SIZE);
	rc = tpm_child_ask(config->tcti, TPM_DEVICE_WAIT_MS, seal_anew, r, f);
	if (rc < 0)
		(void)err_wrap(&f->err, "opened, but not sealed to this TPM");
	if (rc == 0)
		rc = contents_hand_over(record, r->contents_key, f);
	if (rc == 0 && policy_opened_save(config, &r->opened, &f->err) < 0)
		rc = failure_because(f, CAUSE_SYSTEM);
	tpm_child_free(r, sizeof(*r));
	return rc;
}
