/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/reseal.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "integrity/ability.h"
#include "integrity/boot_lock.h"
#include "integrity/contents.h"
#include "integrity/diagnose_event.h"
#include "integrity/enable_keys.h"
#include "integrity/fek.h"
#include "integrity/policy_choose.h"
#include "integrity/recovery.h"
#include "integrity/tpm_child.h"
#include "integrity/tpm_child_retry.h"

struct resealing {
	const struct config_integrity *config;
	const struct seal_record *old;
	struct seal_record new; /* its directories are the old one's */
	struct wrapping_key key;
	struct signed_policy by;     /* what new.policy.by points to */
	struct policy_opened opened; /* the same, for who asks */
	bool published;              /* the new record is in place */
};

static TPM2_HANDLE other_handle(const struct config_integrity *config,
				const struct seal_record *record)
{
	return record->key_handle == config->key_handle ? config->key_handle + 1
							: config->key_handle;
}

static int open_old(struct tpm *t, ESYS_TR srk, const struct resealing *r,
		    uint8_t ret_fek[FSCRYPT_FEK_SIZE], struct failure *f)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	struct pcr_policy policy = r->old->policy;
	struct policy_opened opened;
	struct signed_policy by;
	char label[SEAL_RECORD_LABEL_SIZE];
	TPM2B_NAME name;
	ESYS_TR key;
	int rc = tpm_session_start(t, srk, TPM2_SE_POLICY, &session, &f->err);

	f->step = STEP_UNSEAL;
	if (rc == 0)
		rc = tpm_find(t, r->old->key_handle, &key, NULL, &name, &f->err);
	if (rc == 0 && !tpm_name_equal(&name, &r->old->key_name))
		rc = err_set(&f->err, -ENOENT, "the key at 0x%08x is not the record's",
			     r->old->key_handle);
	if (rc == 0)
		rc = seal_record_label(r->old, label);
	if (rc == 0) {
		rc = boot_lock_check(t, &policy, f);
		if (rc == 0 && policy.authority.is_set)
			rc = policy_choose(t, r->config, &policy, &by, &opened, f);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		rc = fek_unwrap(t, key, &session, &policy, r->old->wrapped_fek, label, ret_fek,
				&f->err);
	return rc < 0 ? seal_classify(t, r->config, r->old, rc, f) : 0;
}

/* Wraps the FEK for the new record, which differs from the old one only in how the FEK is
 * wrapped. */
static int wrap_new(struct resealing *r, const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err)
{
	char label[SEAL_RECORD_LABEL_SIZE];

	r->new.key_handle = other_handle(r->config, r->old);
	r->new.key_name = r->key.name;
	r->new.previous_key_name = r->old->key_name;
	if (seal_record_label(&r->new, label) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return fek_wrap(&r->key.public, fek, label, r->new.wrapped_fek, err);
}

/* The record that names the key is written before the key is made persistent. So a power cut
 * leaves no key that no record names. */
static int make_key(struct tpm *t, ESYS_TR srk, struct resealing *r,
		    const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	_cleanup_(tpm_flush) struct tpm_object loaded = TPM_OBJECT_NONE(t);
	int rc = tpm_session_start(t, srk, TPM2_SE_HMAC, &session, err);

	if (rc == 0)
		rc = wrapping_key_create(t, srk, &session, &r->new.policy, &r->key, err);
	if (rc == 0)
		rc = wrapping_key_load(t, srk, &session, &r->key, &loaded, err);
	if (rc == 0)
		rc = wrap_new(r, fek, err);
	if (rc == 0)
		rc = enable_keys_prove(t, srk, loaded.handle, &r->new, fek, err);
	if (rc == 0)
		rc = recovery_save(r->config, &r->new, fek, err);
	if (rc == 0)
		rc = seal_record_save(&r->new, r->config->record_directory, SEAL_RECORD_NEW_FILE,
				      err);
	if (rc == 0)
		rc = wrapping_key_persist(t, &loaded, r->new.key_handle, err);
	return rc;
}

/* Evicts what an interrupted reseal left at this handle, if a record names it. Any other key may
 * be the only one that opens the directories of another record. */
static int make_room(struct tpm *t, const struct resealing *r, const TPM2B_NAME *known,
		     struct failure *f)
{
	const TPM2_HANDLE handle = other_handle(r->config, r->old);
	TPM2B_NAME name;
	int rc = tpm_find(t, handle, NULL, NULL, &name, &f->err);

	if (rc == -ENOENT)
		return 0;
	if (rc == 0) {
		rc = -EEXIST;
		for (size_t i = 0; i < SEAL_KNOWN_NAMES; i++)
			if (tpm_name_equal(&known[i], &name))
				rc = 0;
		if (rc < 0)
			return failure_set(f, CAUSE_RECORD_REMOVED, rc,
					   "the TPM has a wrapping key of Steward's at 0x%08x, "
					   "where the new one is to be, that no record in %s names",
					   handle, r->config->record_directory);
		rc = wrapping_key_evict(t, handle, &f->err);
	}
	return rc < 0 ? failure_because(f, failure_tpm_cause(f->err.code)) : 0;
}

static int prepare_new_key(struct tpm *t, struct resealing *r, struct failure *f)
{
	TPM2B_NAME known[SEAL_KNOWN_NAMES] = {0};
	int rc;

	f->step = STEP_ENABLE;
	seal_record_known_names(r->config->record_directory, known);
	rc = ability_of_tpm(t, r->config, known, N_ELEMENTS(known), &r->new.policy, f);
	if (rc == 0)
		rc = policy_prepare(t, r->config, &r->new.policy, &r->by, &r->opened, f);
	return rc == 0 ? make_room(t, r, known, f) : rc;
}

/* Publishes the new record. From here on it is in force, whatever happens to the old key. */
static int publish(struct tpm *t, ESYS_TR srk, struct resealing *r,
		   const uint8_t fek[FSCRYPT_FEK_SIZE], struct failure *f)
{
	int rc = make_key(t, srk, r, fek, &f->err);

	if (rc < 0)
		return failure_because(f, failure_tpm_cause(rc));
	/* The record is renamed and not written again, so that the file that names the new key is
	 * always complete. */
	rc = seal_record_publish(r->config->record_directory, &f->err);
	if (rc < 0)
		return failure_because(f, CAUSE_SYSTEM);
	r->published = true;
	return 0;
}

/* By asking for a reseal, the operator says that the present files are right: so they are
 * accepted. */
static int take_in_contents(struct resealing *r, const uint8_t fek[FSCRYPT_FEK_SIZE],
			    struct failure *f)
{
	uint8_t key[KEPT_KEY_SIZE];

	f->step = STEP_ENABLE;
	if (kept_key_derive(span_of(fek, FSCRYPT_FEK_SIZE), key) < 0)
		return failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
	return contents_take_in(r->config, &r->new, key, f);
}

static int replace_key(struct tpm *t, struct resealing *r, struct failure *f)
{
	uint8_t fek[FSCRYPT_FEK_SIZE];
	_cleanup_(srk_release) struct srk srk = {0};
	int rc = srk_open(t, span_of(r->old->srk, r->old->srk_size), &srk, &f->err);

	if (rc < 0)
		return failure_because(f, CAUSE_RECORD_CHANGED);
	rc = tpm_child_keep_secrets(f);
	if (rc == 0)
		rc = open_old(t, srk.handle, r, fek, f);
	if (rc == 0)
		rc = prepare_new_key(t, r, f);
	if (rc == 0)
		rc = take_in_contents(r, fek, f);
	return rc == 0 ? publish(t, srk.handle, r, fek, f) : rc;
}

static int replace_and_evict(struct tpm *t, void *shared, struct failure *f)
{
	struct resealing *r = shared;
	int rc = r->published ? 0 : replace_key(t, r, f);

	if (rc < 0)
		return rc;
	rc = wrapping_key_evict(t, r->old->key_handle, &f->err);
	return rc < 0 ? failure_because(f, failure_tpm_cause(rc)) : 0;
}

int reseal(const struct config_integrity *config, const struct seal_record *record,
	   struct failure *f)
{
	struct resealing *r = tpm_child_alloc(sizeof(*r), f);
	int rc;

	if (!r)
		return f->err.code;
	r->config = config;
	r->old = record;
	r->new = *record;
	rc = tpm_child_ask(config->tcti, TPM_DEVICE_WAIT_MS, replace_and_evict, r, f);
	if (rc == 0 && policy_opened_save(config, &r->opened, &f->err) < 0)
		rc = failure_because(f, CAUSE_SYSTEM);
	tpm_child_free(r, sizeof(*r));
	return rc;
}
