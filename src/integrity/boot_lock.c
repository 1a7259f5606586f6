/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/boot_lock.h"

#include <errno.h>

#include "base/log_events.h"
#include "integrity/nv_counter.h"
#include "integrity/seal_record.h"
#include "integrity/tpm_child_retry.h"

static int sealed(struct failure *f, TPM2_HANDLE index)
{
	return failure_set(f, CAUSE_SEALED, -EKEYREJECTED,
			   "the key was used in this boot, and then closed at NV index 0x%08x "
			   "(seal-after-boot)",
			   index);
}

int boot_lock_prepare(struct tpm *t, const struct config_integrity *config,
		      struct pcr_policy *policy, struct failure *f)
{
	struct nv_counter counter = {0};

	if (!config->seal_after_boot)
		return 0;
	if (nv_counter_provide(t, config->seal_nv_index, true, &counter, &f->err) < 0)
		return failure_because(f, failure_tpm_cause(f->err.code));
	if (counter.state == NV_COUNTER_LOCKED)
		return sealed(f, config->seal_nv_index);
	policy->lock = (struct nv_condition){
		.index = config->seal_nv_index,
		.lockable = true,
		.operation = TPM2_EO_EQ,
		.value = counter.count,
	};
	return 0;
}

int boot_lock_check(struct tpm *t, const struct pcr_policy *policy, struct failure *f)
{
	const TPM2_HANDLE index = policy->lock.index;
	struct nv_counter counter = {0};

	if (!index)
		return 0;
	if (nv_counter_find(t, index, true, &counter, &f->err) < 0)
		return failure_because(f, failure_tpm_cause(f->err.code));
	if (counter.state == NV_COUNTER_LOCKED)
		return sealed(f, index);
	if (counter.state == NV_COUNTER_COUNTS && counter.count == policy->lock.value)
		return 0;
	return failure_set(f, CAUSE_KEY_REPLACED, -ENOENT,
			   "the wrapping key asks for the counter at NV index 0x%08x, which is "
			   "gone or another one",
			   index);
}

struct closing {
	const struct pcr_policy *policy;
};

static int close_counter(struct tpm *t, void *shared, struct failure *f)
{
	const struct closing *c = shared;
	const TPM2_HANDLE index = c->policy->lock.index;
	struct nv_counter counter = {0};
	int rc = nv_counter_find(t, index, true, &counter, &f->err);

	if (rc == 0 && counter.state != NV_COUNTER_LOCKED && counter.state != NV_COUNTER_COUNTS)
		rc = err_set(&f->err, -ENOENT, "there is no counter at NV index 0x%08x", index);
	if (rc == 0)
		rc = nv_counter_lock(t, &counter, &f->err);
	return rc < 0 ? failure_because(f, failure_tpm_cause(rc)) : 0;
}

static int close_in_child(const struct config_integrity *config, const struct pcr_policy *policy,
			  struct failure *f)
{
	struct closing *c;
	int rc;

	c = tpm_child_alloc(sizeof(*c), f);
	if (!c)
		return f->err.code;
	c->policy = policy;
	rc = tpm_child_ask(config->tcti, TPM_DEVICE_WAIT_MS, close_counter, c, f);
	tpm_child_free(c, sizeof(*c));
	return rc;
}

void boot_lock_close(const struct config_integrity *config)
{
	struct seal_record record = {0};
	struct failure f = {0};
	int rc = 0;

	if (!config->seal_after_boot ||
	    seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE, NULL) < 0)
		return;
	if (record.policy.lock.index)
		rc = close_in_child(config, &record.policy, &f);
	else
		rc = err_set(&f.err, -ENOTSUP,
			     "it was made without seal-after-boot: 'stewardctl request "
			     "configuration-integrity reseal' makes one with it");
	if (rc < 0)
		log_event(LOG_INTEGRITY_NOT_SETTLED, &(struct log_fields){.reason = f.err.text},
			  "the key can still be used until the next boot: %s", f.err.text);
	seal_record_release(&record);
}
