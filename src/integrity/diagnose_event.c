/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/diagnose_event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"

/* Pin and key are as they should be. If only the sealed key is refused, the record is to blame. */
static enum integrity_cause seal_cause_of_code(const struct seal_facts *facts, int code)
{
	if (code == -ENOKEY && facts->policy == FACT_SAME && facts->pcrs != FACT_SAME)
		return facts->pcrs == FACT_ABSENT ? CAUSE_PCR_BANK : CAUSE_PCR_MISMATCH;
	if (code == -ENOKEY || code == -EILSEQ)
		return CAUSE_RECORD_CHANGED;
	return failure_tpm_cause(code);
}

enum integrity_cause seal_cause(const struct seal_facts *facts, int code)
{
	bool same = facts->pin == FACT_SAME && facts->key == FACT_SAME;

	if (same)
		return seal_cause_of_code(facts, code);
	if (facts->ek != FACT_SAME)
		return CAUSE_ANOTHER_TPM;
	if (facts->pin == FACT_ABSENT)
		return CAUSE_TPM_CLEARED;
	if (facts->key != FACT_SAME)
		return CAUSE_KEY_REPLACED;
	return CAUSE_RECORD_CHANGED;
}

const char *short_name(const TPM2B_NAME *name, char ret[SHORT_NAME_SIZE])
{
	char text[TPM_NAME_TEXT_SIZE];

	tpm_name_text(name, text);
	/* The first two bytes are the number of the hash algorithm. */
	(void)snprintf(ret, SHORT_NAME_SIZE, "%.8s…", name->size > 2 ? text + 4 : text);
	return ret;
}

static int read_pin_fact(struct tpm *t, const struct config_integrity *config,
			 const struct seal_record *record, enum seal_fact *ret, struct err *err)
{
	uint8_t expected[PIN_SIZE];
	struct pin pin;
	int rc = pin_read(t, pin_index(config->nv_index, record->pin_number), NULL, &pin, err);

	if (rc == 0)
		rc = seal_record_pin(record, expected);
	if (rc < 0)
		return rc;
	if (pin.state == PIN_ABSENT || pin.state == PIN_UNWRITTEN)
		*ret = FACT_ABSENT;
	else if (pin.state != PIN_FOREIGN && memcmp(pin.digest, expected, PIN_SIZE) == 0)
		*ret = FACT_SAME;
	else
		*ret = FACT_OTHER;
	return 0;
}

static int read_key_facts(struct tpm *t, const struct seal_record *record, struct seal_facts *ret,
			  struct err *err)
{
	TPM2B_DIGEST policy = {0};
	TPM2B_PUBLIC public = {0};
	TPM2B_NAME name;
	int rc = tpm_find(t, record->key_handle, NULL, &public, &name, err);

	if (rc == -ENOENT) {
		ret->key = FACT_ABSENT;
		return 0;
	}
	if (rc == 0)
		rc = wrapping_key_policy(&record->policy, &policy);
	if (rc < 0)
		return rc;
	if (!tpm_name_equal(&name, &record->key_name))
		ret->key = FACT_OTHER;
	if (public.publicArea.authPolicy.size != policy.size ||
	    memcmp(public.publicArea.authPolicy.buffer, policy.buffer, policy.size) != 0)
		ret->policy = FACT_OTHER;
	return 0;
}

static bool pcr_equal(const TPM2B_DIGEST *a, const TPM2B_DIGEST *b)
{
	return a->size == b->size && memcmp(a->buffer, b->buffer, a->size) == 0;
}

static bool pcrs_equal(const struct tpm_pcr_values *a, const struct tpm_pcr_values *b)
{
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++)
		if (!pcr_equal(&a->values[i], &b->values[i]))
			return false;
	return true;
}

struct evidence {
	struct seal_facts facts;
	TPM2B_NAME ek; /* if the endorsement key had to be looked up */
	struct tpm_pcr_values pcrs;
};

static int read_pcr_fact(struct tpm *t, const struct pcr_policy *policy, struct evidence *ret,
			 struct err *err)
{
	int rc = policy->mask ? tpm_pcr_read(t, policy->bank, policy->mask, &ret->pcrs, err) : 0;

	if (rc == -EPROTO)
		ret->facts.pcrs = FACT_ABSENT;
	else if (rc == 0 && policy->mask && !pcrs_equal(&ret->pcrs, &policy->values))
		ret->facts.pcrs = FACT_OTHER;
	return rc == -EPROTO ? 0 : rc;
}

static int gather(struct tpm *t, const struct config_integrity *config,
		  const struct seal_record *record, struct evidence *ret, struct err *err)
{
	int rc = read_pin_fact(t, config, record, &ret->facts.pin, err);

	if (rc == 0)
		rc = read_key_facts(t, record, &ret->facts, err);
	if (rc < 0)
		return rc;
	/* The endorsement key may have to be made, which takes a TPM seconds. So this is done only
	 * if it can change the result. */
	if (ret->facts.pin == FACT_SAME && ret->facts.key == FACT_SAME)
		return read_pcr_fact(t, &record->policy, ret, err);
	rc = tpm_ek_name(t, &ret->ek, err);
	if (rc == 0 && !tpm_name_equal(&ret->ek, &record->ek_name))
		ret->facts.ek = FACT_OTHER;
	return rc;
}

/* "PCR 7 is 3f9a…, at enablement it was 77e0…" for each that differs. */
static void describe_pcrs(const struct tpm_pcr_values *now, const struct pcr_policy *policy,
			  char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		const TPM2B_DIGEST *was = &policy->values.values[i];
		const TPM2B_DIGEST *is = &now->values[i];
		char is_text[9];
		char was_text[9];
		int n;

		if (!(policy->mask & (1u << i)) || pcr_equal(was, is))
			continue;
		hex_encode(span_of(is->buffer, 4), is_text);
		hex_encode(span_of(was->buffer, 4), was_text);
		n = snprintf(ret + used, size - used,
			     "%sPCR %u (%s) is %s…, when this was sealed it was %s…",
			     used ? "; " : "", i, tpm_bank_name(policy->bank), is_text, was_text);
		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

/* The pin of this record at another index than is configured; 0 = there is none. */
static TPM2_HANDLE find_elsewhere(struct tpm *t, const struct seal_record *record)
{
	TPM2_HANDLE found[PINS_MAX];
	uint8_t expected[PIN_SIZE];
	size_t n = 0;

	if (seal_record_pin(record, expected) < 0 ||
	    pin_find_others(t, NULL, 0, found, PINS_MAX, &n, NULL) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		struct pin pin = {0};

		if (pin_read(t, found[i], NULL, &pin, NULL) == 0 &&
		    memcmp(pin.digest, expected, PIN_SIZE) == 0)
			return found[i];
	}
	return 0;
}

static int describe_elsewhere(const struct config_integrity *config,
			      const struct seal_record *record, TPM2_HANDLE index, int code,
			      struct failure *f)
{
	return failure_set(f, CAUSE_CONFIGURATION, code,
			   "it names the NV index 0x%08x, and the pin of the record is at 0x%08x: "
			   "expected \"nv-index\": \"0x%08x\"",
			   config->nv_index, index, index - pin_index(0, record->pin_number));
}

static int describe(struct tpm *t, const struct config_integrity *config,
		    const struct seal_record *record, const struct evidence *evidence, int code,
		    struct failure *f)
{
	enum integrity_cause cause = seal_cause(&evidence->facts, code);
	bool key_is_absent = evidence->facts.key == FACT_ABSENT;
	char pcrs[ERR_TEXT_SIZE / 2];
	TPM2_HANDLE elsewhere = 0;
	char was[SHORT_NAME_SIZE];
	char is[SHORT_NAME_SIZE];

	if (evidence->facts.pin != FACT_SAME && evidence->facts.ek == FACT_SAME)
		elsewhere = find_elsewhere(t, record);
	if (elsewhere)
		return describe_elsewhere(config, record, elsewhere, code, f);
	switch (cause) {
	case CAUSE_ANOTHER_TPM:
		/* Whatever failed first, the step that is shown is the unsealing: another TPM
		 * cannot do that. */
		f->step = STEP_UNSEAL;
		return failure_set(
			f, cause, code,
			"this disk was sealed to the TPM with EK %s, the one found is %s",
			short_name(&record->ek_name, was), short_name(&evidence->ek, is));
	case CAUSE_TPM_CLEARED:
		return failure_set(f, cause, code,
				   "the pin at NV index 0x%08x is gone%s; it is the TPM with EK %s "
				   "that this disk was sealed to",
				   config->nv_index,
				   key_is_absent ? ", and the wrapping key too" : "",
				   short_name(&record->ek_name, was));
	case CAUSE_KEY_REPLACED:
		return failure_set(f, cause, code, "expected the key %s at 0x%08x, found %s",
				   short_name(&record->key_name, was), record->key_handle,
				   key_is_absent ? "none" : "another");
	case CAUSE_RECORD_CHANGED:
		if (evidence->facts.pin == FACT_SAME)
			return failure_because(f, cause);
		return failure_set(f, cause, code,
				   "what it says of the directories is not what is pinned in the "
				   "TPM at NV index 0x%08x",
				   config->nv_index);
	case CAUSE_PCR_BANK:
		return failure_set(f, cause, code,
				   "this was sealed to PCRs of the bank %s, which the TPM does not "
				   "have now",
				   tpm_bank_name(record->policy.bank));
	case CAUSE_PCR_MISMATCH:
		describe_pcrs(&evidence->pcrs, &record->policy, pcrs, sizeof(pcrs));
		return failure_set(f, cause, code, "%s",
				   pcrs[0] ? pcrs : "the PCRs are those of the sealing again");
	default:
		return failure_because(f, cause);
	}
}

/* Does this error mean that the TPM cannot answer at present? Then what it says of its keys
 * proves nothing. */
static bool is_momentary(int code)
{
	return code == -ENODEV || code == -EBUSY || code == -ENOSPC || code == -EAGAIN;
}

int seal_classify(struct tpm *t, const struct config_integrity *config,
		  const struct seal_record *record, int code, struct failure *f)
{
	const TSS2_RC refused = t->last_rc;
	struct evidence evidence = {0};
	struct err why;
	int rc = is_momentary(code) ? code : gather(t, config, record, &evidence, &why);

	if (rc == 0)
		(void)describe(t, config, record, &evidence, code, f);
	else if (rc == -EPERM)
		(void)failure_set(f, CAUSE_TPM_AUTHORIZATION, code, "%s", why.text);
	else
		(void)failure_because(f, failure_tpm_cause(rc));
	t->last_rc = refused;
	return code;
}
