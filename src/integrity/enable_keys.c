/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/enable_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/macros.h"
#include "integrity/ability.h"
#include "integrity/fek.h"
#include "integrity/policy_choose.h"
#include "integrity/recovery.h"
#include "integrity/tpm_child.h"
#include "integrity/tpm_child_retry.h"

#define TRIAL_LABEL "trial"

static bool is_half_made(const struct enabling *e, const TPM2B_NAME *name)
{
	bool known = false;

	for (size_t i = 0; i < N_ELEMENTS(e->known); i++)
		known |= tpm_name_equal(&e->known[i], name);
	return known;
}

/* record.json.new is written before its key is made persistent. So a key that it does not name is
 * not half made: it may be the only one that opens directories which cannot be seen now. */
static int evict_half_made(struct tpm *t, struct enabling *e, TPM2_HANDLE handle, struct failure *f)
{
	TPM2B_NAME name;

	if (tpm_find(t, handle, NULL, NULL, &name, &f->err) < 0)
		return failure_because(f, failure_tpm_cause(f->err.code));
	if (!is_half_made(e, &name))
		return failure_set(
			f, CAUSE_RECORD_REMOVED, -EEXIST,
			"the TPM has a wrapping key of Steward's at 0x%08x, but there is "
			"no record of it in %s",
			handle, e->config->record_directory);
	return wrapping_key_evict(t, handle, &f->err) < 0
		       ? failure_because(f, failure_tpm_cause(f->err.code))
		       : 0;
}

static int evict_ours(struct tpm *t, struct enabling *e, struct failure *f)
{
	for (unsigned i = 0; i < KEY_HANDLES; i++) {
		const TPM2_HANDLE handle = e->config->key_handle + i;
		enum key_owner owner;
		int rc = wrapping_key_owner(t, handle, e->known, N_ELEMENTS(e->known), &e->policy,
					    &owner, &f->err);

		if (rc < 0)
			return failure_because(f, failure_tpm_cause(f->err.code));
		if (owner == KEY_OURS)
			rc = evict_half_made(t, e, handle, f);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Asks for pins once more, directly before the change: the TPM may not have answered when it was
 * asked before. -EEXIST: there is a pin. */
static int check_no_pin(struct tpm *t, struct enabling *e, struct failure *f)
{
	TPM2_HANDLE unnamed[1];
	size_t n = 0;
	struct pin pin;

	if (pin_read(t, e->config->nv_index, NULL, &pin, &f->err) < 0 ||
	    pin_find_others(t, e->named, e->n_named, unnamed, 1, &n, &f->err) < 0) {
		(void)failure_because(f, failure_tpm_cause(f->err.code));
		return -EEXIST;
	}
	if (pin_is_written(pin.state))
		return failure_set(f, CAUSE_RECORD_REMOVED, -EEXIST,
				   "the pin at NV index 0x%08x is written", e->config->nv_index);
	if (n > 0)
		return failure_set(f, CAUSE_PIN_UNNAMED, -EEXIST,
				   "the TPM has a pin of Steward's at NV index 0x%08x, and no "
				   "configuration names that",
				   unnamed[0]);
	return 0;
}

static int remove_half_made(struct tpm *t, struct enabling *e, struct failure *f)
{
	int rc = evict_ours(t, e, f);

	if (rc == 0 && pin_undefine_unwritten(t, e->config->nv_index, &f->err) < 0)
		rc = failure_because(f, failure_tpm_cause(f->err.code));
	return rc;
}

static int unwrap(struct tpm *t, ESYS_TR srk, ESYS_TR key, const struct pcr_policy *policy,
		  const uint8_t wrapped[WRAPPED_SIZE], const char *label,
		  const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	uint8_t again[FSCRYPT_FEK_SIZE];
	int rc = tpm_session_start(t, srk, TPM2_SE_POLICY, &session, err);

	if (rc == 0)
		rc = fek_unwrap(t, key, &session, policy, wrapped, label, again, err);
	if (rc == 0 && CRYPTO_memcmp(again, fek, FSCRYPT_FEK_SIZE) != 0)
		rc = err_set(err, -EILSEQ, "the TPM unwraps another key than was wrapped");
	return rc;
}

int enable_keys_prove(struct tpm *t, ESYS_TR srk, ESYS_TR key, const struct seal_record *record,
		      const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err)
{
	char label[SEAL_RECORD_LABEL_SIZE];

	if (seal_record_label(record, label) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return unwrap(t, srk, key, &record->policy, record->wrapped_fek, label, fek, err);
}

/* Uses a label of its own, because the record's label is not known before there are directories. */
static int try_key(struct tpm *t, ESYS_TR srk, const struct tpm_object *session, struct enabling *e,
		   struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object loaded = TPM_OBJECT_NONE(t);
	uint8_t wrapped[WRAPPED_SIZE];
	int rc = wrapping_key_load(t, srk, session, &e->key, &loaded, err);

	if (rc == 0)
		rc = fek_wrap(&e->key.public, e->fek, TRIAL_LABEL, wrapped, err);
	if (rc == 0)
		rc = unwrap(t, srk, loaded.handle, &e->policy, wrapped, TRIAL_LABEL, e->fek, err);
	return rc;
}

static int make_keys(struct tpm *t, struct enabling *e, struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	ESYS_TR srk;
	int rc = srk_provide(t, &srk, err);

	if (rc == 0)
		rc = srk_save(t, srk, e->srk, &e->srk_size, err);
	if (rc == 0)
		rc = tpm_ek_name(t, &e->ek_name, err);
	if (rc == 0)
		rc = tpm_session_start(t, srk, TPM2_SE_HMAC, &session, err);
	if (rc == 0)
		rc = wrapping_key_create(t, srk, &session, &e->policy, &e->key, err);
	if (rc == 0)
		rc = fek_make(t, &session, e->fek, err);
	if (rc == 0 && kept_key_derive(span_of(e->fek, sizeof(e->fek)), e->contents_key) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = try_key(t, srk, &session, e, err);
	return rc;
}

static int make(struct tpm *t, void *shared, struct failure *f)
{
	struct enabling *e = shared;
	int rc = tpm_child_keep_secrets(f);

	if (rc == 0)
		rc = check_no_pin(t, e, f);
	if (rc == 0)
		rc = ability_not_locked_out(t, f);
	if (rc == 0)
		rc = ability_of_tpm(t, e->config, e->known, N_ELEMENTS(e->known), &e->policy, f);
	if (rc == 0)
		rc = remove_half_made(t, e, f);
	if (rc == 0 && policy_prepare(t, e->config, &e->policy, &e->by, &e->opened, f) < 0) {
		f->err.code = -EOPNOTSUPP;
		return -EOPNOTSUPP;
	}
	if (rc == 0 && make_keys(t, e, &f->err) < 0) {
		(void)failure_because(f, failure_tpm_cause(f->err.code));
		f->err.code = rc = -EOPNOTSUPP;
	}
	return rc;
}

static int commit_keys(struct tpm *t, struct enabling *e, struct err *err)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	_cleanup_(tpm_flush) struct tpm_object loaded = TPM_OBJECT_NONE(t);
	uint8_t pin[PIN_SIZE];
	ESYS_TR srk;
	int rc = srk_restore(t, span_of(e->srk, e->srk_size), &srk, err);

	if (rc == 0)
		rc = tpm_session_start(t, srk, TPM2_SE_HMAC, &session, err);
	if (rc == 0)
		rc = wrapping_key_load(t, srk, &session, &e->key, &loaded, err);
	if (rc == 0)
		rc = enable_keys_prove(t, srk, loaded.handle, e->record, e->fek, err);
	if (rc == 0)
		rc = recovery_save(e->config, e->record, e->fek, err);
	if (rc == 0)
		rc = wrapping_key_place(t, &loaded, &e->key.name, e->record->key_handle, err);
	if (rc == 0)
		rc = seal_record_pin(e->record, pin);
	if (rc == 0)
		rc = pin_write(t, e->config->nv_index, &session, pin, err);
	return rc;
}

static int commit(struct tpm *t, void *shared, struct failure *f)
{
	struct enabling *e = shared;

	if (tpm_child_keep_secrets(f) < 0)
		return f->err.code;
	return commit_keys(t, e, &f->err) < 0 ? failure_because(f, failure_tpm_cause(f->err.code))
					      : 0;
}

static int undo(struct tpm *t, void *shared, struct failure *f)
{
	struct enabling *e = shared;
	int rc = check_no_pin(t, e, f);

	return rc < 0 ? rc : remove_half_made(t, e, f);
}

int enable_keys_make(struct enabling *e, struct failure *f)
{
	return tpm_child_ask(e->config->tcti, 0, make, e, f);
}

int enable_keys_commit(struct enabling *e, struct failure *f)
{
	return tpm_child_ask(e->config->tcti, 0, commit, e, f);
}

int enable_keys_undo(struct enabling *e, bool *ret_pin_written, struct failure *f)
{
	int rc = tpm_child_ask(e->config->tcti, 0, undo, e, f);

	*ret_pin_written = rc == -EEXIST;
	return rc;
}
