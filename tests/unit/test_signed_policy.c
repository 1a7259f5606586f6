/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Signed policies: what software computes is what a TPM computes, the TPM lets nothing through that
 * the operator has not signed, and their text. */
#include "swtpm.h"

#include <openssl/pem.h>

#include "base/macros.h"
#include "integrity/fek.h"
#include "integrity/nv_counter.h"
#include "integrity/signed_policy.h"
#include "pki.h"

#define COUNTER 0x01800129

struct operators {
	struct jws_key key;
	struct policy_authority authority;
};

static void make_operator(struct operators *o)
{
	struct err err;

	*o = (struct operators){.key = {.key = pki_key(2048)},
				.authority = {.is_set = true, .counter = COUNTER}};
	assert_int_equal(jws_key_set_kid(&o->key), 0);
	assert_int_equal(policy_authority_check(&o->key, o->authority.modulus, &err), 0);
}

static void make_policy(struct tpm_world *w, const struct operators *o, uint32_t mask,
			uint64_t generation, struct signed_policy *ret)
{
	*ret = (struct signed_policy){
		.name = "a release",
		.generation = generation,
		.counter = COUNTER,
		.pcrs = {.bank = TPM2_ALG_SHA256, .mask = mask},
	};
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, mask, &ret->pcrs.values, &w->err));
	tpm_must(w, signed_policy_sign(ret, &o->key, &w->err));
}

static void start(struct tpm_world *w, TPM2_SE type, struct tpm_object *ret)
{
	ESYS_TR srk;

	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, tpm_session_start(&w->t, srk, type, ret, &w->err));
}

static void assert_digest(struct tpm_world *w, const struct tpm_object *session,
			  const TPM2B_DIGEST *expected)
{
	TPM2B_DIGEST *digest = NULL;

	assert_int_equal(Esys_PolicyGetDigest(w->t.esys, session->handle, ESYS_TR_NONE,
					      ESYS_TR_NONE, ESYS_TR_NONE, &digest),
			 TSS2_RC_SUCCESS);
	assert_int_equal(expected->size, digest->size);
	assert_memory_equal(expected->buffer, digest->buffer, digest->size);
	Esys_Free(digest);
}

static void test_digests(void **state)
{
	static const struct {
		bool lockable;
		TPM2_EO operation;
		uint64_t value; /* beside what it stands at */
	} rows[] = {
		{false, TPM2_EO_UNSIGNED_LE, 0},
		{false, TPM2_EO_UNSIGNED_LE, 1000},
		{true, TPM2_EO_EQ, 0},
	};
	struct tpm_world *w = *state;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const TPM2_HANDLE index = COUNTER + (rows[i].lockable ? 1 : 0);
		TPM2B_DIGEST expected = {.size = 32};
		struct nv_condition condition;
		struct nv_counter counter;
		struct tpm_object session;

		tpm_must(w, nv_counter_provide(&w->t, index, rows[i].lockable, &counter, &w->err));
		condition = (struct nv_condition){index, rows[i].lockable, rows[i].operation,
						  counter.count + rows[i].value};
		start(w, TPM2_SE_POLICY, &session);
		tpm_must(w, nv_condition_authorize(&w->t, &session, &condition, &w->err));
		assert_int_equal(nv_condition_extend(&condition, &expected), 0);
		assert_digest(w, &session, &expected);
		tpm_flush(&session);
	}
}

static void test_counter_never_goes_back(void **state)
{
	struct tpm_world *w = *state;
	struct nv_counter first;
	struct nv_counter again;
	struct nv_counter absent;

	tpm_must(w, nv_counter_provide(&w->t, COUNTER, false, &first, &w->err));
	tpm_must(w, nv_counter_provide(&w->t, COUNTER, false, &again, &w->err));
	assert_int_equal(first.count, again.count);
	tpm_must(w, nv_counter_increment(&w->t, &again, &w->err));
	assert_int_equal(again.count, first.count + 1);
	tpm_must(w, nv_counter_undefine(&w->t, COUNTER, false, &w->err));
	tpm_must(w, nv_counter_find(&w->t, COUNTER, false, &absent, &w->err));
	assert_int_equal(absent.state, NV_COUNTER_ABSENT);
	tpm_must(w, nv_counter_provide(&w->t, COUNTER, false, &first, &w->err));
	assert_true(first.count > again.count);
	/* The other kind is foreign, and stays. */
	tpm_refused(w, nv_counter_provide(&w->t, COUNTER, true, &again, &w->err), -EEXIST,
		    "not ours");
	tpm_must(w, nv_counter_undefine(&w->t, COUNTER, true, &w->err));
	tpm_must(w, nv_counter_find(&w->t, COUNTER, false, &again, &w->err));
	assert_int_equal(again.count, first.count);
}

static void test_locked_until_the_power_was_off(void **state)
{
	struct tpm_world *w = *state;
	struct nv_condition condition = {COUNTER, true, TPM2_EO_EQ, 0};
	struct nv_counter counter;
	struct tpm_object session;

	tpm_must(w, nv_counter_provide(&w->t, COUNTER, true, &counter, &w->err));
	condition.value = counter.count;
	tpm_must(w, nv_counter_lock(&w->t, &counter, &w->err));
	tpm_must(w, nv_counter_find(&w->t, COUNTER, true, &counter, &w->err));
	assert_int_equal(counter.state, NV_COUNTER_LOCKED);
	tpm_must(w, nv_counter_lock(&w->t, &counter, &w->err));
	start(w, TPM2_SE_POLICY, &session);
	tpm_refused(w, nv_condition_authorize(&w->t, &session, &condition, &w->err), -EKEYREJECTED,
		    "0x01800129");
	tpm_flush(&session);
	tpm_world_power_cycle(w);
	start(w, TPM2_SE_POLICY, &session);
	tpm_must(w, nv_condition_authorize(&w->t, &session, &condition, &w->err));
	tpm_flush(&session);
	condition.value++;
	start(w, TPM2_SE_POLICY, &session);
	tpm_refused(w, nv_condition_authorize(&w->t, &session, &condition, &w->err), -EKEYREJECTED,
		    "0x01800129");
	tpm_flush(&session);
}

/* By the whole way, or not at all: where it stops, -EKEYREJECTED. */
static int authorize(struct tpm_world *w, const struct operators *o, const struct signed_policy *p)
{
	struct tpm_object session;
	TPM2B_DIGEST expected;
	int rc;

	start(w, TPM2_SE_POLICY, &session);
	rc = signed_policy_authorize(&w->t, &session, &o->authority, p, &w->err);
	if (rc == 0) {
		assert_int_equal(policy_authority_digest(&o->authority, &expected), 0);
		assert_digest(w, &session, &expected);
	}
	tpm_flush(&session);
	return rc;
}

static void test_the_tpm_decides(void **state)
{
	struct tpm_world *w = *state;
	struct nv_counter counter;
	struct signed_policy policy;
	struct signed_policy other;
	struct operators ours;
	struct operators stranger;

	make_operator(&ours);
	make_operator(&stranger);
	tpm_must(w, nv_counter_provide(&w->t, COUNTER, false, &counter, &w->err));
	tpm_extend(&w->t, 16, 1);
	make_policy(w, &ours, 1u << 16 | 1u << 23, counter.count, &policy);
	tpm_must(w, authorize(w, &ours, &policy));

	/* Signed by somebody else, though he says that it is ours. */
	make_policy(w, &stranger, 1u << 16 | 1u << 23, counter.count, &other);
	memcpy(other.kid, ours.key.kid, sizeof(other.kid));
	assert_true(authorize(w, &ours, &other) < 0);
	/* Other PCRs, a longer life. */
	other = policy;
	other.pcrs.mask = 1u << 23;
	assert_true(authorize(w, &ours, &other) < 0);
	other = policy;
	other.generation++;
	assert_true(authorize(w, &ours, &other) < 0);

	/* Another release. */
	tpm_extend(&w->t, 16, 2);
	tpm_refused(w, authorize(w, &ours, &policy), -EKEYREJECTED, "policy by signature");
	make_policy(w, &ours, 1u << 16, counter.count, &policy);
	tpm_must(w, authorize(w, &ours, &policy));
	/* Ended. */
	tpm_must(w, nv_counter_increment(&w->t, &counter, &w->err));
	tpm_refused(w, authorize(w, &ours, &policy), -EKEYREJECTED, "counter at NV index");
	jws_key_release(&ours.key);
	jws_key_release(&stranger.key);
}

/* A key under an authority decrypts, and nothing else. */
static void test_key_decrypts_only(void **state)
{
	static const uint8_t fek[FSCRYPT_FEK_SIZE] = {1, 2, 3};
	static const TPM2B_AUTH secret = {.size = 4, .buffer = "word"};
	struct tpm_world *w = *state;
	struct pcr_policy asked = {.bank = TPM2_ALG_SHA256, .mask = 1u << 16};
	uint8_t wrapped[WRAPPED_SIZE];
	uint8_t again[FSCRYPT_FEK_SIZE];
	TPM2B_PRIVATE *private = NULL;
	struct nv_counter counter;
	struct signed_policy policy;
	struct tpm_object session;
	struct tpm_object loaded;
	struct wrapping_key key;
	struct operators ours;
	ESYS_TR srk;

	make_operator(&ours);
	tpm_must(w, nv_counter_provide(&w->t, COUNTER, false, &counter, &w->err));
	make_policy(w, &ours, 1u << 16, counter.count, &policy);
	asked.authority = ours.authority;
	asked.by = &policy;
	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	start(w, TPM2_SE_HMAC, &session);
	tpm_must(w, wrapping_key_create(&w->t, srk, &session, &asked, &key, &w->err));
	tpm_must(w, wrapping_key_load(&w->t, srk, &session, &key, &loaded, &w->err));
	tpm_flush(&session);
	tpm_must(w, fek_wrap(&key.public, fek, "x", wrapped, &w->err));
	start(w, TPM2_SE_POLICY, &session);
	tpm_must(w,
		 fek_unwrap(&w->t, loaded.handle, &session, &asked, wrapped, "x", again, &w->err));
	assert_memory_equal(fek, again, sizeof(fek));
	tpm_flush(&session);
	/* The signed policy alone, without the authority. */
	start(w, TPM2_SE_POLICY, &session);
	assert_true(fek_unwrap(&w->t, loaded.handle, &session, &policy.pcrs, wrapped, "x", again,
			       &w->err) < 0);
	tpm_flush(&session);
	start(w, TPM2_SE_POLICY, &session);
	tpm_must(w, wrapping_key_authorize(&w->t, &session, &asked, &w->err));
	assert_int_not_equal(Esys_ObjectChangeAuth(w->t.esys, loaded.handle, srk, session.handle,
						   ESYS_TR_NONE, ESYS_TR_NONE, &secret, &private),
			     TSS2_RC_SUCCESS);
	tpm_flush(&session);
	tpm_flush(&loaded);
	jws_key_release(&ours.key);
}

static void test_text(void **state)
{
	struct tpm_world *w = *state;
	struct signed_policy policy;
	struct signed_policy again;
	struct operators ours;
	struct operators other;
	char *text;

	make_operator(&ours);
	make_operator(&other);
	make_policy(w, &ours, 1u << 0 | 1u << 23, 4711, &policy);
	policy.ends_older = true;
	text = signed_policy_print(&policy);
	assert_non_null(text);
	tpm_must(w, signed_policy_parse(&again, span_of_string(text), &w->err));
	assert_int_equal(again.generation, 4711);
	assert_true(again.ends_older);
	assert_int_equal(again.pcrs.mask, policy.pcrs.mask);
	tpm_must(w, signed_policy_check(&again, &ours.authority, &w->err));
	tpm_refused(w, signed_policy_check(&again, &other.authority, &w->err), -EKEYREJECTED,
		    "expected the policy-key");
	/* Cut anywhere, it is none; and what it is then is never taken. */
	for (size_t n = 0; n + 2 < strlen(text); n++)
		if (signed_policy_parse(&again, span_of(text, n), &w->err) >= 0)
			fail_msg("%zu bytes", n);
	free(text);
	jws_key_release(&ours.key);
	jws_key_release(&other.key);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)
	const struct CMUnitTest tests[] = {
		ROW(test_digests),
		ROW(test_counter_never_goes_back),
		ROW(test_locked_until_the_power_was_off),
		ROW(test_the_tpm_decides),
		ROW(test_key_decrypts_only),
		ROW(test_text),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
