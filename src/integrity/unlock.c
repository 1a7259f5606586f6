#include "integrity/unlock.h"

#include <errno.h>
#include <string.h>

#include "core/log_events.h"
#include "core/macros.h"
#include "integrity/add.h"
#include "integrity/apart.h"
#include "integrity/classify.h"
#include "integrity/fek.h"
#include "integrity/mounts.h"
#include "integrity/policy_choose.h"
#include "integrity/stopwatch.h"

/* Shared with the child that speaks to the TPM. */
struct unsealing {
	const struct config_integrity *config;
	const struct seal_record *record;
	bool locate_only;
	TPM2B_NAME left[SEAL_KNOWN_NAMES]; /* Names of keys that a reseal may have left behind */
	bool left_is_gone;                 /* none is there (any more) */
	bool evicted_left;
	struct unlock_by by;
	uint8_t fek[FSCRYPT_FEK_SIZE];
};

static int locate(struct tpm *t, const struct unsealing *u, struct tpm_object *session,
		  struct failure *f)
{
	uint8_t expected[PIN_SIZE];
	struct pin pin = {0};
	ESYS_TR srk;
	int rc = srk_restore(t, span_of(u->record->srk, u->record->srk_size), &srk, &f->err);

	if (rc < 0) {
		f->tpm_rc = t->last_rc;
		return failure_because(f, CAUSE_RECORD_CHANGED);
	}
	rc = tpm_session_start(t, srk, TPM2_SE_POLICY, session, &f->err);
	if (rc == 0)
		rc = pin_read(t, pin_index(u->config->nv_index, u->record->pin_number), session,
			      &pin, &f->err);
	if (rc == 0)
		rc = seal_record_pin(u->record, expected);
	if (rc == 0 && ((pin.state != PIN_LOCKED && pin.state != PIN_WRITTEN) ||
			memcmp(pin.digest, expected, PIN_SIZE) != 0))
		rc = -ENOENT;
	return rc < 0 ? seal_classify(t, u->config, u->record, rc, f) : 0;
}

static int unseal(struct tpm *t, struct unsealing *u, const struct tpm_object *session,
		  struct failure *f)
{
	struct pcr_policy policy = u->record->policy;
	char label[SEAL_RECORD_LABEL_SIZE];
	TPM2B_NAME name;
	ESYS_TR key;
	int rc = tpm_find(t, u->record->key_handle, &key, NULL, &name, &f->err);

	if (rc == 0 && !tpm_name_equal(&name, &u->record->key_name))
		rc = -ENOENT;
	if (rc == 0)
		rc = seal_record_label(u->record, label);
	if (rc == 0 && policy.authority.is_set) {
		rc = policy_choose(t, u->config, &policy, &u->by.policy, &u->by.opened, f);
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		rc = fek_unwrap(t, key, session, &policy, u->record->wrapped_fek, label, u->fek,
				&f->err);
	return rc < 0 ? seal_classify(t, u->config, u->record, rc, f) : 0;
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

static int locate_and_unseal(struct tpm *t, struct unsealing *u, struct stopwatch *watch,
			     struct failure *f)
{
	_cleanup_(tpm_flush) struct tpm_object session = TPM_OBJECT_NONE(t);
	TPM2_HANDLE left;
	int rc = locate(t, u, &session, f);

	stopwatch_step(watch, "locate", t->spent_ns);
	if (rc < 0)
		return rc;
	left = find_left(t, u);
	if (u->locate_only && !left)
		return 0;
	f->step = STEP_UNSEAL;
	rc = unseal(t, u, &session, f);
	stopwatch_step(watch, "unseal", t->spent_ns);
	if (rc == 0 && left)
		evict_left(t, u, left);
	return rc;
}

static int in_child(void *shared, struct failure *f)
{
	struct stopwatch watch = stopwatch_start();
	struct unsealing *u = shared;
	struct tpm t;
	int rc = tpm_open(&t, u->config->tcti, TPM_DEVICE_WAIT_MS, &f->err);

	f->tpm_rc = t.last_rc;
	if (rc < 0)
		return failure_because(f, rc == -ENODEV ? CAUSE_NO_TPM : CAUSE_TPM_ERROR);
	rc = locate_and_unseal(&t, u, &watch, f);
	f->tpm_rc = rc < 0 ? t.last_rc : 0;
	tpm_close(&t);
	stopwatch_step(&watch, "close", t.spent_ns);
	return rc;
}

/* All of them: one that is not as recorded keeps the others closed too. */
static int check_directories(const struct seal_record *record, bool *ret_present, struct failure *f)
{
	*ret_present = true;
	for (size_t i = 0; i < record->n_directories; i++) {
		const struct seal_directory *directory = &record->directories[i];
		bool present = false;
		int rc = fscrypt_check(directory->path, directory->identifier, &present, f);

		/* A mount point is there all the same, and plain. */
		if (rc < 0 && mount_check(directory->path, f) < 0)
			return -ENOENT;
		if (rc < 0)
			return rc;
		*ret_present &= present;
	}
	return 0;
}

static enum integrity_step step_of(enum integrity_cause cause)
{
	switch (cause) {
	case CAUSE_METADATA_MISSING:
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

static int unlock_each(const struct seal_record *record, const struct secret *fek,
		       bool were_open[SEAL_DIRECTORIES_MAX], struct failure *f)
{
	for (size_t i = 0; i < record->n_directories; i++) {
		const struct seal_directory *directory = &record->directories[i];
		struct stopwatch watch = stopwatch_start();
		int rc = fscrypt_check(directory->path, directory->identifier, &were_open[i], f);

		if (rc == 0)
			rc = fscrypt_unlock(directory->path, directory->identifier, fek, f);
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

static int check_all(const struct unsealing *u, bool *ret_present, struct failure *f)
{
	int rc = check_directories(u->record, ret_present, f);

	return rc == 0 ? add_check(u->config, u->record, f) : rc;
}

static int unlock_with(struct unsealing *u, bool *ret_already, struct failure *f)
{
	const struct secret fek = {.bytes = u->fek, .size = FSCRYPT_FEK_SIZE};
	const bool adds = add_count(u->config, u->record) > 0;
	bool were_open[SEAL_DIRECTORIES_MAX] = {false};
	struct failure of_directories = {.step = STEP_UNLOCK};
	bool present = false;
	int directories_rc = check_all(u, &present, &of_directories);
	int rc;

	u->locate_only = directories_rc < 0 || (present && !adds);
	if (directories_rc == 0)
		name_left(u);
	f->step = STEP_LOCATE;
	rc = apart_run(in_child, u, f);
	if (rc == 0 && directories_rc == 0)
		tidy_up(u);
	if (rc == 0 && directories_rc < 0) {
		*f = of_directories;
		rc = directories_rc;
	}
	if (rc == 0 && !present)
		rc = unlock_each(u->record, &fek, were_open, f);
	if (rc == 0 && adds) {
		rc = add_directories(u->config, u->record, &fek, f);
		if (rc < 0 && !present)
			lock_again(u->record, were_open, u->record->n_directories);
	}
	if (rc == 0)
		*ret_already = present;
	return rc;
}

int unlock_directories(const struct config_integrity *config, const struct seal_record *record,
		       bool *ret_already, struct unlock_by *ret_by, struct failure *f)
{
	struct unsealing *u = apart_alloc(sizeof(*u), f);
	int rc;

	if (!u)
		return f->err.code;
	u->config = config;
	u->record = record;
	rc = unlock_with(u, ret_already, f);
	if (rc == 0)
		*ret_by = u->by;
	apart_free(u, sizeof(*u));
	return rc;
}
