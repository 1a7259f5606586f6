/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which cause it is: by the facts alone, and as a TPM is found. */
#include "swtpm.h"

#include "base/macros.h"
#include "integrity/diagnose_event.h"

#define SAME   FACT_SAME
#define OTHER  FACT_OTHER
#define ABSENT FACT_ABSENT

static void test_causes(void **state)
{
	static const struct {
		struct seal_facts facts; /* pin, key, EK, policy, PCRs */
		enum integrity_cause cause;
	} rows[] = {
		{{SAME, SAME, SAME, SAME, SAME}, CAUSE_NONE}, /* the code tells */
		{{SAME, SAME, OTHER, SAME, SAME}, CAUSE_NONE},
		{{SAME, SAME, ABSENT, SAME, SAME}, CAUSE_NONE},
		{{SAME, OTHER, SAME, SAME, SAME}, CAUSE_KEY_REPLACED},
		{{SAME, OTHER, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{SAME, OTHER, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{SAME, ABSENT, SAME, SAME, SAME}, CAUSE_KEY_REPLACED},
		{{SAME, ABSENT, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{SAME, ABSENT, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{OTHER, SAME, SAME, SAME, SAME}, CAUSE_RECORD_CHANGED},
		{{OTHER, SAME, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{OTHER, SAME, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{OTHER, OTHER, SAME, SAME, SAME}, CAUSE_KEY_REPLACED},
		{{OTHER, OTHER, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{OTHER, OTHER, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{OTHER, ABSENT, SAME, SAME, SAME}, CAUSE_KEY_REPLACED},
		{{OTHER, ABSENT, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{OTHER, ABSENT, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{ABSENT, SAME, SAME, SAME, SAME}, CAUSE_TPM_CLEARED},
		{{ABSENT, SAME, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{ABSENT, SAME, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{ABSENT, OTHER, SAME, SAME, SAME}, CAUSE_TPM_CLEARED},
		{{ABSENT, OTHER, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{ABSENT, OTHER, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{ABSENT, ABSENT, SAME, SAME, SAME}, CAUSE_TPM_CLEARED},
		{{ABSENT, ABSENT, OTHER, SAME, SAME}, CAUSE_ANOTHER_TPM},
		{{ABSENT, ABSENT, ABSENT, SAME, SAME}, CAUSE_ANOTHER_TPM},
	};
	/* Of a TPM that holds what it should. */
	static const struct {
		int code;
		enum integrity_cause cause;
	} codes[] = {
		{-ENOKEY, CAUSE_RECORD_CHANGED}, /* and no PCR is another */
		{-EILSEQ, CAUSE_RECORD_CHANGED}, /* it does not decrypt */
		{-EPROTO, CAUSE_TPM_NOT_READY},  {-EKEYREJECTED, CAUSE_TPM_NOT_READY},
		{-ENOENT, CAUSE_TPM_NOT_READY},  {-EAGAIN, CAUSE_TPM_NOT_READY},
		{-EACCES, CAUSE_TPM_NOT_READY},  {-EPERM, CAUSE_TPM_AUTHORIZATION},
		{-EBUSY, CAUSE_TPM_NOT_READY},   {-ENOSPC, CAUSE_TPM_NOT_READY},
		{-ETXTBSY, CAUSE_TPM_IN_USE},    {-ENODEV, CAUSE_TPM_ERROR},
		{-EBADMSG, CAUSE_TPM_ERROR},     {-ENOMEM, CAUSE_SYSTEM},
		{-EROFS, CAUSE_SYSTEM},
	};

	(void)state;
	assert_int_equal(N_ELEMENTS(rows), 3 * 3 * 3);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		for (size_t n = 0; n < N_ELEMENTS(codes); n++) {
			enum integrity_cause expected =
				rows[i].cause == CAUSE_NONE ? codes[n].cause : rows[i].cause;
			enum integrity_cause found = seal_cause(&rows[i].facts, codes[n].code);

			if (found != expected)
				fail_msg("row %zu, code %d: %s, expected %s", i, codes[n].code,
					 integrity_cause_name(found),
					 integrity_cause_name(expected));
		}
	}
}

/* The PCRs that the record names are part of the key's policy: with others somebody wrote it. */
static void test_other_pcrs(void **state)
{
	static const struct seal_facts written = {SAME, SAME, SAME, OTHER, OTHER};
	static const struct seal_facts moved = {SAME, SAME, SAME, SAME, OTHER};
	static const struct seal_facts no_bank = {SAME, SAME, SAME, SAME, ABSENT};

	(void)state;
	assert_int_equal(seal_cause(&written, -ENOKEY), CAUSE_RECORD_CHANGED);
	assert_int_equal(seal_cause(&written, -EILSEQ), CAUSE_RECORD_CHANGED);
	assert_int_equal(seal_cause(&moved, -ENOKEY), CAUSE_PCR_MISMATCH);
	assert_int_equal(seal_cause(&moved, -EILSEQ), CAUSE_RECORD_CHANGED);
	assert_int_equal(seal_cause(&moved, -EBUSY), CAUSE_TPM_NOT_READY);
	assert_int_equal(seal_cause(&no_bank, -ENOKEY), CAUSE_PCR_BANK);
}

static void test_short_name(void **state)
{
	static const TPM2B_NAME name = {.size = 34, .name = {0, 11, 0x3f, 0x9a, 7, 0xc1, 0xff}};
	static const TPM2B_NAME none = {0};
	char text[SHORT_NAME_SIZE];

	(void)state;
	assert_string_equal(short_name(&name, text), "3f9a07c1…");
	assert_string_equal(short_name(&none, text), "…");
}

/* A TPM that was sealed to, and the record of it. */
struct sealed {
	struct tpm_world *w;
	struct config_integrity config;
	struct seal_record record;
	struct wrapping_key key;
	struct tpm_object session;
	struct failure f;
};

static void set_record(struct sealed *s)
{
	struct seal_record *r = &s->record;

	r->directories[0].path = strdup("/etc/steward/secrets");
	assert_non_null(r->directories[0].path);
	memset(r->directories[0].identifier, 0x5a, FSCRYPT_IDENTIFIER_SIZE);
	r->n_directories = 1;
	r->key_handle = 0x81010128;
	r->key_name = s->key.name;
	s->config = (struct config_integrity){.key_handle = 0x81010128, .nv_index = 0x01800128};
}

static void write_pin(struct sealed *s)
{
	uint8_t pin[PIN_SIZE];

	assert_int_equal(seal_record_pin(&s->record, pin), 0);
	tpm_must(s->w, pin_write(&s->w->t, s->config.nv_index, &s->session, pin, &s->w->err));
}

/* Make a key and persist it at the record's handle. */
static void place_key(struct sealed *s, ESYS_TR srk)
{
	struct tpm *t = &s->w->t;
	struct tpm_object loaded;

	tpm_must(s->w,
		 wrapping_key_create(t, srk, &s->session, &s->record.policy, &s->key, &s->w->err));
	tpm_must(s->w, wrapping_key_load(t, srk, &s->session, &s->key, &loaded, &s->w->err));
	tpm_must(s->w, wrapping_key_persist(t, &loaded, 0x81010128, &s->w->err));
	tpm_flush(&loaded);
}

static void seal(struct sealed *s, struct tpm_world *w)
{
	struct pcr_policy *policy = &s->record.policy;
	ESYS_TR srk;

	memset(s, 0, sizeof(*s));
	s->w = w;
	policy->bank = TPM2_ALG_SHA256;
	policy->mask = 1u << 7 | 1u << 16;
	tpm_must(w, tpm_pcr_read(&w->t, policy->bank, policy->mask, &policy->values, &w->err));
	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, tpm_session_start(&w->t, srk, TPM2_SE_HMAC, &s->session, &w->err));
	tpm_must(w, tpm_ek_name(&w->t, &s->record.ek_name, &w->err));
	place_key(s, srk);
	set_record(s);
	write_pin(s);
}

static void end_sealed(struct sealed *s)
{
	tpm_flush(&s->session);
	seal_record_release(&s->record);
}

static void assert_classified(struct sealed *s, int code, enum integrity_cause cause,
			      const char *part)
{
	s->w->t.last_rc = 0x4711;
	(void)err_set(&s->f.err, code, "what the step said");
	assert_int_equal(seal_classify(&s->w->t, &s->config, &s->record, code, &s->f), code);
	if (s->f.cause != cause)
		fail_msg("%s", s->f.err.text);
	assert_int_equal(strncmp(s->f.err.text, integrity_cause_name(cause),
				 strlen(integrity_cause_name(cause))),
			 0);
	assert_contains(s->f.err.text, part);
	/* Asking must not hide what the TPM had refused. */
	assert_int_equal(s->w->t.last_rc, 0x4711);
}

static void test_all_is_there(void **state)
{
	struct sealed s;
	char part[64];

	seal(&s, *state);
	assert_classified(&s, -EILSEQ, CAUSE_RECORD_CHANGED, "what the step said");
	assert_classified(&s, -EBADMSG, CAUSE_TPM_ERROR, "what the step said");
	tpm_extend(&s.w->t, 16, 1);
	assert_classified(&s, -ENOKEY, CAUSE_PCR_MISMATCH, "PCR 16 (sha256) is ");
	(void)snprintf(part, sizeof(part), "when this was sealed it was %02x%02x%02x%02x…",
		       s.record.policy.values.values[16].buffer[0],
		       s.record.policy.values.values[16].buffer[1],
		       s.record.policy.values.values[16].buffer[2],
		       s.record.policy.values.values[16].buffer[3]);
	assert_contains(s.f.err.text, part);
	assert_null(strstr(s.f.err.text, "PCR 7"));
	tpm_extend(&s.w->t, 7, 1);
	assert_classified(&s, -ENOKEY, CAUSE_PCR_MISMATCH, "; PCR 16");
	assert_contains(s.f.err.text, "PCR 7 (sha256)");
	end_sealed(&s);
}

static void test_pin_of_something_else(void **state)
{
	struct sealed s;

	seal(&s, *state);
	s.record.directories[0].path[0] = '_';
	assert_classified(&s, -ENOENT, CAUSE_RECORD_CHANGED, "is not what is pinned");
	end_sealed(&s);
}

static void test_key_gone(void **state)
{
	struct sealed s;

	seal(&s, *state);
	tpm_must(s.w, wrapping_key_evict(&s.w->t, 0x81010128, &s.w->err));
	assert_classified(&s, -ENOENT, CAUSE_KEY_REPLACED, "at 0x81010128, found none");
	end_sealed(&s);
}

static void test_key_replaced(void **state)
{
	struct sealed s;
	ESYS_TR srk;

	seal(&s, *state);
	tpm_must(s.w, wrapping_key_evict(&s.w->t, 0x81010128, &s.w->err));
	tpm_must(s.w, srk_provide(&s.w->t, &srk, &s.w->err));
	place_key(&s, srk);
	assert_classified(&s, -ENOENT, CAUSE_KEY_REPLACED, "at 0x81010128, found another");
	end_sealed(&s);
}

static void test_pin_gone(void **state)
{
	struct sealed s;

	seal(&s, *state);
	tpm_must(s.w, pin_undefine(&s.w->t, s.config.nv_index, &s.w->err));
	assert_classified(&s, -ENOENT, CAUSE_TPM_CLEARED,
			  "the pin at NV index 0x01800128 is gone;");
	tpm_clear(&s.w->t);
	assert_classified(&s, -ENOENT, CAUSE_TPM_CLEARED, "is gone, and the wrapping key too");
	end_sealed(&s);
}

static void test_another_tpm(void **state)
{
	struct sealed s;
	char was[SHORT_NAME_SIZE];
	char is[SHORT_NAME_SIZE];
	char part[128];

	seal(&s, *state);
	tpm_clear(&s.w->t);
	(void)short_name(&s.record.ek_name, is);
	s.record.ek_name.name[5] ^= 1;
	(void)snprintf(part, sizeof(part), "EK %s, the one found is %s",
		       short_name(&s.record.ek_name, was), is);
	assert_classified(&s, -ENOENT, CAUSE_ANOTHER_TPM, part);
	end_sealed(&s);
}

static void test_no_answer(void **state)
{
	struct sealed s;

	seal(&s, *state);
	assert_classified(&s, -ENODEV, CAUSE_TPM_ERROR, "what the step said");
	end_sealed(&s);
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causes),        cmocka_unit_test(test_other_pcrs),
		cmocka_unit_test(test_short_name),    with_tpm(test_all_is_there),
		with_tpm(test_pin_of_something_else), with_tpm(test_key_gone),
		with_tpm(test_key_replaced),          with_tpm(test_pin_gone),
		with_tpm(test_another_tpm),           with_tpm(test_no_answer),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
