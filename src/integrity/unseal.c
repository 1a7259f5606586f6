/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/unseal.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "integrity/boot_lock.h"
#include "integrity/diagnose_event.h"
#include "integrity/fek.h"
#include "integrity/policy_choose.h"
#include "integrity/stopwatch.h"
#include "integrity/tpm_child.h"
#include "integrity/tpm_child_retry.h"

static int wait_for_verdict(struct unsealing *u, struct failure *f)
{
	if (!u->check)
		return 0;
	while (u->verdict == UNSEAL_UNDECIDED)
		(void)sem_wait(&u->has_verdict);
	return u->verdict == UNSEAL_PASSED ? 0
					   : failure_set(f, CAUSE_SYSTEM, -ECANCELED,
							 "what is to be unlocked by is refused");
}

/* Where the SRK is to be made again, the TPM is changed. */
static int start_session(struct tpm *t, struct unsealing *u, struct tpm_object *session,
			 struct failure *f)
{
	const struct span srk = span_of(u->record->srk, u->record->srk_size);
	int rc;

	if (u->check && srk_session_as_kept(t, srk, TPM2_SE_POLICY, session, NULL) == 0)
		return 0;
	rc = wait_for_verdict(u, f);
	return rc == 0 ? srk_session(t, srk, TPM2_SE_POLICY, session, &f->err) : rc;
}

static int locate(struct tpm *t, struct unsealing *u, struct tpm_object *session, struct failure *f)
{
	uint8_t expected[PIN_SIZE];
	struct pin pin = {0};
	ESYS_TR srk;
	int rc = srk_restore(t, span_of(u->record->srk, u->record->srk_size), &srk, &f->err);

	if (rc < 0) {
		f->tpm_rc = t->last_rc;
		return failure_because(f, CAUSE_RECORD_CHANGED);
	}
	(void)Esys_TR_Close(t->esys, &srk);
	rc = start_session(t, u, session, f);
	if (rc == -ECANCELED)
		return rc;
	if (rc == 0)
		rc = pin_read(t, pin_index(u->config->nv_index, u->record->pin_number), session,
			      &pin, &f->err);
	if (rc == 0)
		rc = seal_record_pin(u->record, expected);
	if (rc == 0 && ((pin.state != PIN_LOCKED && pin.state != PIN_WRITTEN) ||
			memcmp(pin.digest, expected, PIN_SIZE) != 0))
		rc = err_set(&f->err, -ENOENT, "the pin at NV index 0x%08x is not the record's",
			     u->config->nv_index);
	return rc < 0 ? seal_classify(t, u->config, u->record, rc, f) : 0;
}

static int decrypt(struct tpm *t, struct unsealing *u, const struct tpm_object *session,
		   struct failure *f)
{
	struct pcr_policy policy = u->record->policy;
	char label[SEAL_RECORD_LABEL_SIZE];
	TPM2B_NAME name;
	ESYS_TR key;
	int rc = tpm_find(t, u->record->key_handle, &key, NULL, &name, &f->err);

	if (rc == 0 && !tpm_name_equal(&name, &u->record->key_name))
		rc = err_set(&f->err, -ENOENT, "the key at 0x%08x is not the record's",
			     u->record->key_handle);
	if (rc == 0)
		rc = seal_record_label(u->record, label);
	if (rc == 0) {
		rc = boot_lock_check(t, &policy, f);
		if (rc == 0 && policy.authority.is_set)
			rc = policy_choose(t, u->config, &policy, &u->by.policy, &u->by.opened, f);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		rc = fek_unwrap(t, key, session, &policy, u->record->wrapped_fek, label, u->fek,
				&f->err);
	if (rc < 0)
		return seal_classify(t, u->config, u->record, rc, f);
	if (kept_key_derive(span_of(u->fek, sizeof(u->fek)), u->contents_key) < 0)
		return failure_set(f, CAUSE_SYSTEM, -ENOMEM, "out of memory");
	return 0;
}

static bool is_left(const struct unsealing *u, const TPM2B_NAME *name)
{
	for (size_t i = 0; i < N_ELEMENTS(u->left); i++)
		if (tpm_name_equal(&u->left[i], name))
			return true;
	return false;
}

/* At a handle of ours, and not what the record needs: the key that a reseal replaced, or that one
 * was about to use. 0 = there is none, or it is not known. */
static TPM2_HANDLE find_left(struct tpm *t, struct unsealing *u)
{
	bool known = true;

	if (u->left[0].size == 0) {
		u->left_is_gone = true;
		return 0;
	}
	for (unsigned i = 0; i < KEY_HANDLES; i++) {
		const TPM2_HANDLE handle = u->config->key_handle + i;
		TPM2B_NAME name;
		int rc;

		if (handle == u->record->key_handle)
			continue;
		rc = tpm_find(t, handle, NULL, NULL, &name, NULL);
		if (rc == 0 && is_left(u, &name))
			return handle;
		known &= rc == 0 || rc == -ENOENT;
	}
	u->left_is_gone = known;
	return 0;
}

/* Only once the record's own key has opened: until then the other may be needed. While it is there
 * an older record opens, whatever PCRs this one wants. */
static void evict_left(struct tpm *t, struct unsealing *u, TPM2_HANDLE handle)
{
	struct err err;

	if (wrapping_key_evict(t, handle, &err) < 0)
		log_debug("%s", err.text);
	else
		u->left_is_gone = u->evicted_left = true;
}

static int decide(void *shared)
{
	struct unsealing *u = shared;

	if (u->verdict == UNSEAL_UNDECIDED) {
		u->verdict =
			u->check->passes(u->check->owner) == 0 ? UNSEAL_PASSED : UNSEAL_REFUSED;
		(void)sem_post(&u->has_verdict);
	}
	return u->verdict == UNSEAL_PASSED ? 0 : -ECANCELED;
}

static int locate_and_unseal(struct tpm *t, void *shared, struct failure *f)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	struct failure of_lock = {0};
	struct stopwatch watch = stopwatch_start();
	struct unsealing *u = shared;
	TPM2_HANDLE left;
	int rc = locate(t, u, &session, f);

	stopwatch_step(&watch, "locate", t->spent_ns);
	if (rc == 0)
		rc = wait_for_verdict(u, f);
	if (rc < 0)
		return rc;
	if (u->check)
		stopwatch_step(&watch, "check", t->spent_ns);
	left = find_left(t, u);
	if (u->locate_only && (!left || boot_lock_check(t, &u->record->policy, &of_lock) < 0))
		return 0;
	f->step = STEP_UNSEAL;
	rc = tpm_child_keep_secrets(f);
	if (rc == 0)
		rc = decrypt(t, u, &session, f);
	stopwatch_step(&watch, "unseal", t->spent_ns);
	if (rc == 0 && left)
		evict_left(t, u, left);
	if (rc == 0 && u->unsealed) {
		u->unsealed(u);
		stopwatch_step(&watch, "open", t->spent_ns);
	}
	return rc;
}

int unseal(struct unsealing *u, struct failure *f)
{
	const struct tpm_child_job job = {
		.tcti = u->config->tcti,
		.wait_ms = TPM_DEVICE_WAIT_MS,
		.work = locate_and_unseal,
		.beside = u->check ? decide : NULL,
		.shared = u,
	};

	f->step = STEP_LOCATE;
	if (u->check && sem_init(&u->has_verdict, 1, 0) < 0)
		return failure_set(f, CAUSE_SYSTEM, -errno, "a semaphore: %s", strerror(errno));
	return tpm_child_do(&job, f);
}
