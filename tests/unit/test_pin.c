/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pin in the TPM's NV memory: written once, then locked for good. */
#include "swtpm.h"

#include "base/macros.h"
#include "integrity/pin.h"
#include "integrity/wrapping_key.h"

#define INDEX 0x01800128
#define OURS                                                                                       \
	(TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD | TPMA_NV_WRITEDEFINE |         \
	 TPMA_NV_NO_DA)

static const uint8_t digest[PIN_SIZE] = "0123456789abcdef0123456789abcde";
static const uint8_t other[PIN_SIZE] = "another one, of other directorie";

static ESYS_TR define(struct tpm_world *w, TPMA_NV attributes, UINT16 size, bool with_policy)
{
	static const TPM2B_AUTH no_auth = {0};
	TPM2B_NV_PUBLIC public = {.nvPublic = {.nvIndex = INDEX,
					       .nameAlg = TPM2_ALG_SHA256,
					       .attributes = attributes,
					       .authPolicy = {.size = with_policy ? 32 : 0},
					       .dataSize = size}};
	ESYS_TR nv;

	assert_int_equal(Esys_NV_DefineSpace(w->t.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					     ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &public, &nv),
			 TSS2_RC_SUCCESS);
	return nv;
}

static TSS2_RC write_as(struct tpm_world *w, ESYS_TR who, ESYS_TR nv, const uint8_t *bytes)
{
	TPM2B_MAX_NV_BUFFER content = {.size = PIN_SIZE};

	memcpy(content.buffer, bytes, PIN_SIZE);
	return Esys_NV_Write(w->t.esys, who, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
			     &content, 0);
}

static ESYS_TR find(struct tpm_world *w)
{
	ESYS_TR nv;

	assert_int_equal(Esys_TR_FromTPMPublic(w->t.esys, INDEX, ESYS_TR_NONE, ESYS_TR_NONE,
					       ESYS_TR_NONE, &nv),
			 TSS2_RC_SUCCESS);
	return nv;
}

static void start_session(struct tpm_world *w, TPM2_SE type, struct tpm_object *ret)
{
	ESYS_TR srk;

	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, tpm_session_start(&w->t, srk, type, ret, &w->err));
}

static void assert_pin(struct tpm_world *w, enum pin_state state, const uint8_t *content)
{
	static const uint8_t nothing[PIN_SIZE];
	struct pin pin;

	memset(&pin, 0xaa, sizeof(pin));
	tpm_must(w, pin_read(&w->t, INDEX, NULL, &pin, &w->err));
	assert_int_equal(pin.state, state);
	assert_memory_equal(pin.digest, content ? content : nothing, PIN_SIZE);
}

static void test_its_life(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object session;
	struct tpm_object policy_session;
	struct pin pin;

	assert_pin(w, PIN_ABSENT, NULL);
	start_session(w, TPM2_SE_HMAC, &session);
	tpm_must(w, pin_write(&w->t, INDEX, &session, digest, &w->err));
	assert_pin(w, PIN_LOCKED, digest);
	/* Read in a session: one that authorizes, and one that has a policy. */
	tpm_must(w, pin_read(&w->t, INDEX, &session, &pin, &w->err));
	assert_int_equal(pin.state, PIN_LOCKED);
	assert_memory_equal(pin.digest, digest, PIN_SIZE);
	start_session(w, TPM2_SE_POLICY, &policy_session);
	tpm_must(w, pin_read(&w->t, INDEX, &policy_session, &pin, &w->err));
	assert_memory_equal(pin.digest, digest, PIN_SIZE);
	tpm_flush(&policy_session);
	tpm_must(w, pin_undefine(&w->t, INDEX, &w->err));
	assert_pin(w, PIN_ABSENT, NULL);
	tpm_must(w, pin_undefine(&w->t, INDEX, &w->err));
	tpm_flush(&session);
}

/* Whoever it is, the owner too, and after the power was off. */
static void test_locked_for_good(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object session;

	start_session(w, TPM2_SE_HMAC, &session);
	tpm_must(w, pin_write(&w->t, INDEX, &session, digest, &w->err));
	tpm_refused(w, pin_write(&w->t, INDEX, &session, other, &w->err), -EEXIST,
		    "the pin at NV index 0x01800128 is written, with another value");
	/* The same again is what a try makes that was not heard of. */
	tpm_must(w, pin_write(&w->t, INDEX, &session, digest, &w->err));
	tpm_flush(&session);
	for (int i = 0; i < 2; i++) {
		/* NV access locked: 0x148. */
		assert_int_equal(write_as(w, ESYS_TR_RH_OWNER, find(w), other), 0x148);
		assert_int_not_equal(write_as(w, find(w), find(w), other), TSS2_RC_SUCCESS);
		tpm_must(w, pin_lock(&w->t, INDEX, &w->err));
		assert_pin(w, PIN_LOCKED, digest);
		tpm_world_power_cycle(w);
	}
	tpm_clear(&w->t);
	assert_pin(w, PIN_ABSENT, NULL);
}

static void test_half_made(void **state)
{
	struct tpm_world *w = *state;
	ESYS_TR nv = define(w, OURS, PIN_SIZE, false);

	assert_pin(w, PIN_UNWRITTEN, NULL);
	tpm_must(w, pin_lock(&w->t, INDEX, &w->err)); /* of what is written only */
	assert_pin(w, PIN_UNWRITTEN, NULL);
	assert_int_equal(write_as(w, ESYS_TR_RH_OWNER, nv, digest), TSS2_RC_SUCCESS);
	assert_pin(w, PIN_WRITTEN, digest);
	tpm_must(w, pin_lock(&w->t, INDEX, &w->err));
	assert_pin(w, PIN_LOCKED, digest);
	tpm_must(w, pin_lock(&w->t, INDEX, &w->err));
	tpm_must(w, pin_undefine(&w->t, INDEX, &w->err));
	(void)define(w, OURS, PIN_SIZE, false);
	tpm_must(w, pin_undefine_unwritten(&w->t, INDEX, &w->err));
	assert_pin(w, PIN_ABSENT, NULL);
	tpm_must(w, pin_lock(&w->t, INDEX, &w->err));
	assert_pin(w, PIN_ABSENT, NULL);
}

/* Only a person has one undefined that is written. */
static void test_written_stays(void **state)
{
	struct tpm_world *w = *state;
	ESYS_TR nv = define(w, OURS, PIN_SIZE, false);

	assert_int_equal(write_as(w, ESYS_TR_RH_OWNER, nv, digest), TSS2_RC_SUCCESS);
	for (int i = 0; i < 2; i++) {
		tpm_refused(w, pin_undefine_unwritten(&w->t, INDEX, &w->err), -EEXIST,
			    "is written");
		assert_pin(w, i == 0 ? PIN_WRITTEN : PIN_LOCKED, digest);
		tpm_must(w, pin_lock(&w->t, INDEX, &w->err));
	}
	tpm_must(w, pin_undefine(&w->t, INDEX, &w->err));
}

static void test_others(void **state)
{
	static const TPM2_HANDLE named[] = {0x01800000, INDEX};
	struct tpm_world *w = *state;
	TPM2_HANDLE found[2] = {0};
	struct tpm_object session;
	size_t n = 9;

	tpm_must(w, pin_find_others(&w->t, named, N_ELEMENTS(named), found, 2, &n, &w->err));
	assert_int_equal(n, 0);
	start_session(w, TPM2_SE_HMAC, &session);
	for (unsigned i = 0; i < 4; i++)
		tpm_must(w, pin_write(&w->t, INDEX - 1 + i, &session, digest, &w->err));
	tpm_flush(&session);
	tpm_must(w, pin_find_others(&w->t, named, N_ELEMENTS(named), found, 2, &n, &w->err));
	assert_int_equal(n, 2); /* of three */
	assert_int_equal(found[0], INDEX - 1);
	assert_int_equal(found[1], INDEX + 1);
	for (unsigned i = 0; i < 4; i++)
		tpm_must(w, pin_undefine(&w->t, INDEX - 1 + i, &w->err));
	/* Nor what is foreign, or not written yet. */
	(void)define(w, OURS, PIN_SIZE, false);
	tpm_must(w, pin_find_others(&w->t, NULL, 0, found, 2, &n, &w->err));
	assert_int_equal(n, 0);
	tpm_must(w, pin_undefine(&w->t, INDEX, &w->err));
}

static void test_foreign(void **state)
{
	static const struct {
		TPMA_NV attributes;
		UINT16 size;
		bool with_policy;
	} rows[] = {
		{OURS, PIN_SIZE - 1, false},
		{OURS, PIN_SIZE + 1, false},
		{OURS, PIN_SIZE, true},
		{OURS & ~(TPMA_NV)TPMA_NV_WRITEDEFINE, PIN_SIZE, false}, /* may be written again */
		{OURS & ~(TPMA_NV)TPMA_NV_NO_DA, PIN_SIZE, false},
		{OURS | TPMA_NV_AUTHWRITE, PIN_SIZE, false},
		{OURS | TPMA_NV_WRITEALL, PIN_SIZE, false},
		{TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD |
			 (TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT),
		 8, false},
	};
	struct tpm_world *w = *state;
	struct tpm_object session;

	start_session(w, TPM2_SE_HMAC, &session);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		ESYS_TR nv = define(w, rows[i].attributes, rows[i].size, rows[i].with_policy);

		assert_pin(w, PIN_FOREIGN, NULL);
		/* It stays, and as it is. */
		tpm_must(w, pin_undefine(&w->t, INDEX, &w->err));
		tpm_must(w, pin_lock(&w->t, INDEX, &w->err));
		tpm_refused(w, pin_write(&w->t, INDEX, &session, digest, &w->err), -EEXIST,
			    "what lies at NV index 0x01800128 is no pin");
		assert_pin(w, PIN_FOREIGN, NULL);
		assert_int_equal(Esys_NV_UndefineSpace(w->t.esys, ESYS_TR_RH_OWNER, nv,
						       ESYS_TR_PASSWORD, ESYS_TR_NONE,
						       ESYS_TR_NONE),
				 TSS2_RC_SUCCESS);
	}
	tpm_flush(&session);
}

/* An owner who has set an authorization: nothing of it is half done. */
static void test_owner_refuses(void **state)
{
	static const TPM2B_AUTH secret = {.size = 4, .buffer = "word"};
	struct tpm_world *w = *state;
	struct tpm_object session;

	start_session(w, TPM2_SE_HMAC, &session);
	assert_int_equal(Esys_HierarchyChangeAuth(w->t.esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
						  ESYS_TR_NONE, ESYS_TR_NONE, &secret),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_TR_SetAuth(w->t.esys, ESYS_TR_RH_OWNER, NULL), TSS2_RC_SUCCESS);
	tpm_refused(w, pin_write(&w->t, INDEX, &session, digest, &w->err), -EPERM, "define");
	assert_pin(w, PIN_ABSENT, NULL);
	tpm_flush(&session);
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tpm(test_its_life),      with_tpm(test_locked_for_good),
		with_tpm(test_half_made),     with_tpm(test_foreign),
		with_tpm(test_owner_refuses), with_tpm(test_written_stays),
		with_tpm(test_owner_refuses), with_tpm(test_others),
		with_tpm(test_owner_refuses),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
