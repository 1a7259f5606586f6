/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/policy_choose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/boot_lock.h"
#include "integrity/nv_counter.h"
#include "integrity/tpm_child.h"
#include "integrity/tpm_child_retry.h"

/* One step takes a TPM some 20 ms and wears its memory, so their number is limited. */
#define STEPS_MAX 256

#define ARGUMENTS_SIZE 1024

/* The reasons for which policies do not fit, one after the other, as far as there is room. */
struct reasons {
	char text[ERR_TEXT_SIZE / 2];
	size_t used;
};

static void __attribute__((format(printf, 2, 3)))
add_reason(struct reasons *reasons, const char *format, ...)
{
	const size_t left = sizeof(reasons->text) - reasons->used;
	va_list arguments;
	char text[256];
	int n;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	n = snprintf(reasons->text + reasons->used, left, "%s%s", reasons->used ? "; " : "", text);
	if (n > 0 && (size_t)n < left)
		reasons->used += (size_t)n;
	else
		reasons->text[reasons->used] = '\0';
}

/* The first PCR whose value is another one; -1 = all are as the policy says. */
static int differing_pcr(const struct tpm_pcr_values *now, const struct pcr_policy *pcrs)
{
	for (int i = 0; i < TPM_PCR_COUNT; i++)
		if (pcrs->mask & (1u << i) &&
		    (now->values[i].size != pcrs->values.values[i].size ||
		     memcmp(now->values[i].buffer, pcrs->values.values[i].buffer,
			    now->values[i].size) != 0))
			return i;
	return -1;
}

/* Returns 1 if the policy's PCRs fit. An error of the TPM says nothing about any policy, so it is
 * returned. */
static int fits_pcrs(struct tpm *t, const struct signed_policy *p, struct reasons *reasons,
		     struct failure *f)
{
	struct tpm_pcr_values now;
	struct err err;
	int rc = tpm_pcr_read(t, p->pcrs.bank, p->pcrs.mask, &now, &err);
	int pcr;

	if (rc == -EPROTO) {
		add_reason(reasons, "'%s' is for the bank %s: %s", p->name,
			   tpm_bank_name(p->pcrs.bank), err.text);
		return 0;
	}
	if (rc < 0) {
		f->err = err;
		return failure_because(f, failure_tpm_cause(rc));
	}
	pcr = differing_pcr(&now, &p->pcrs);
	if (pcr >= 0)
		add_reason(reasons, "'%s' expects another value of PCR %d", p->name, pcr);
	return pcr < 0;
}

/* Returns 1 if the policy fits, 0 if it does not: then reasons say why. */
static int fits(struct tpm *t, const struct policy_authority *authority, uint64_t count,
		const struct signed_policy *p, struct reasons *reasons, struct failure *f)
{
	struct err err;

	if (signed_policy_check(p, authority, &err) < 0) {
		add_reason(reasons, "'%s': %s", p->name, err.text);
		return 0;
	}
	if (p->generation < count) {
		add_reason(reasons, "'%s' of generation %llu is ended, the counter stands at %llu",
			   p->name, (unsigned long long)p->generation, (unsigned long long)count);
		return 0;
	}
	return fits_pcrs(t, p, reasons, f);
}

/* Tells the present PCR values, in the form in which an operator types them to sign a policy for
 * this machine as it is. */
static void tell_values_of_now(struct tpm *t, const struct pcr_policy *policy)
{
	char text[ARGUMENTS_SIZE] = "";
	struct tpm_pcr_values now;
	size_t used = 0;

	if (tpm_pcr_read(t, policy->bank, policy->mask, &now, NULL) < 0)
		return;
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		char hex[2 * sizeof(now.values[i].buffer) + 1];
		int n;

		if (!(policy->mask & (1u << i)))
			continue;
		hex_encode(span_of(now.values[i].buffer, now.values[i].size), hex);
		n = snprintf(text + used, sizeof(text) - used, "%s%u=%s", used ? "," : "", i, hex);
		if (n < 0 || (size_t)n >= sizeof(text) - used)
			return;
		used += (size_t)n;
	}
	log_event(LOG_INTEGRITY_FINDING, NULL, "measured now: bank %s pcr %s",
		  tpm_bank_name(policy->bank), text);
}

static int no_policy(struct tpm *t, const struct config_integrity *config,
		     const struct pcr_policy *policy, size_t n, const struct reasons *reasons,
		     struct failure *f)
{
	tell_values_of_now(t, policy);
	if (n == 0)
		return failure_set(f, CAUSE_NO_POLICY, -EKEYREJECTED,
				   "there is none in %s/" POLICY_STORE_FOLDER " or %s, and only "
				   "one signed by the policy-key opens",
				   config->record_directory, config->policy_directory);
	return failure_set(f, CAUSE_NO_POLICY, -EKEYREJECTED, "none of %zu fits: %s", n,
			   reasons->text);
}

static int read_counter(struct tpm *t, const struct policy_authority *authority, uint64_t *ret,
			struct failure *f)
{
	struct nv_counter counter = {0};

	if (nv_counter_find(t, authority->counter, false, &counter, &f->err) < 0)
		return failure_because(f, failure_tpm_cause(f->err.code));
	if (counter.state != NV_COUNTER_COUNTS)
		return failure_set(f, CAUSE_NO_POLICY, -EKEYREJECTED,
				   "the counter of policies at NV index 0x%08x is gone, and each "
				   "asks for it",
				   authority->counter);
	*ret = counter.count;
	return 0;
}

static int take(const struct signed_policy *p, uint64_t count, struct pcr_policy *policy,
		struct signed_policy *ret, struct policy_opened *ret_opened)
{
	*ret = *p;
	policy->by = ret;
	memset(ret_opened, 0, sizeof(*ret_opened));
	memcpy(ret_opened->name, ret->name, sizeof(ret_opened->name));
	ret_opened->generation = ret->generation;
	ret_opened->count = count;
	return signed_policy_digest(ret, &ret_opened->digest);
}

int policy_choose(struct tpm *t, const struct config_integrity *config, struct pcr_policy *policy,
		  struct signed_policy *ret, struct policy_opened *ret_opened, struct failure *f)
{
	struct policy_store store = {0};
	struct reasons reasons = {0};
	uint64_t count = 0;
	size_t i = 0;
	int rc = read_counter(t, &policy->authority, &count, f);

	if (rc < 0)
		return rc;
	if (policy_store_load(config, &store, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	for (; rc == 0 && i < store.n; i += rc == 0)
		rc = fits(t, &policy->authority, count, &store.each[i], &reasons, f);
	if (rc == 0)
		rc = no_policy(t, config, policy, store.n, &reasons, f);
	else if (rc > 0)
		rc = take(&store.each[i], count, policy, ret, ret_opened);
	policy_store_release(&store);
	return rc;
}

int policy_prepare(struct tpm *t, const struct config_integrity *config, struct pcr_policy *policy,
		   struct signed_policy *ret, struct policy_opened *ret_opened, struct failure *f)
{
	struct nv_counter counter = {0};
	int rc = boot_lock_prepare(t, config, policy, f);

	if (rc < 0 || !policy->authority.is_set)
		return rc;
	if (nv_counter_provide(t, policy->authority.counter, false, &counter, &f->err) < 0)
		return failure_because(f, failure_tpm_cause(f->err.code));
	return policy_choose(t, config, policy, ret, ret_opened, f);
}

struct ending {
	const struct config_integrity *config;
	const struct signed_policy *policy;
	uint64_t count;
};

static int end_older(struct tpm *t, struct ending *e, struct err *err)
{
	struct nv_counter counter = {0};
	int rc = nv_counter_find(t, e->policy->counter, false, &counter, err);

	if (rc == 0 && counter.state != NV_COUNTER_COUNTS)
		rc = err_set(err, -ENOENT, "there is no counter at NV index 0x%08x",
			     e->policy->counter);
	if (rc == 0 && counter.count < e->policy->generation &&
	    e->policy->generation - counter.count > STEPS_MAX)
		rc = err_set(err, -ERANGE,
			     "the counter stands at %llu: %llu is more than %d steps from there",
			     (unsigned long long)counter.count,
			     (unsigned long long)e->policy->generation, STEPS_MAX);
	while (rc == 0 && counter.count < e->policy->generation)
		rc = nv_counter_increment(t, &counter, err);
	if (rc == 0)
		e->count = counter.count;
	return rc;
}

static int end_in_child(struct tpm *t, void *shared, struct failure *f)
{
	int rc = end_older(t, shared, &f->err);

	return rc < 0 ? failure_because(f, failure_tpm_cause(rc)) : 0;
}

int policy_end_older(const struct config_integrity *config, const struct signed_policy *policy,
		     uint64_t *ret_count, struct failure *f)
{
	struct ending *e = tpm_child_alloc(sizeof(*e), f);
	int rc;

	if (!e)
		return f->err.code;
	e->config = config;
	e->policy = policy;
	rc = tpm_child_ask(config->tcti, TPM_DEVICE_WAIT_MS, end_in_child, e, f);
	if (rc == 0)
		*ret_count = e->count;
	tpm_child_free(e, sizeof(*e));
	return rc;
}
