/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A TPM, asked: what it refuses, what lies in it, and sessions. */
#include "swtpm.h"

#include <signal.h>

#include "base/macros.h"

/* Sorts of what tss2 returns: the error, whose it is, and which layer says so. */
static void test_codes(void **state)
{
	static const struct {
		TSS2_RC rc;
		int code;
	} rows[] = {
		{TSS2_RC_SUCCESS, 0},
		{0x18b, -ENOENT},       /* handle 1 */
		{0x28b, -ENOENT},       /* handle 2 */
		{0x1cb, -ENOENT},       /* parameter 1 */
		{0x98b, -ENOENT},       /* session 1 */
		{0x08b, -ENOENT},       /* of nothing */
		{0x99d, -EKEYREJECTED}, /* a policy that does not hold, session 1 */
		{0x09d, -EKEYREJECTED},
		{0xa9d, -EKEYREJECTED}, /* session 2 */
		{0x128, -EAGAIN},       /* a PCR moved */
		{0x921, -EACCES},       /* lockout */
		{0x98e, -EPERM},        /* authorization, counted */
		{0x9a2, -EPERM},        /* authorization, not counted */
		{0x12f, -EBUSY},        /* authorization not available for this use */
		{0x1df, -EPROTO},       /* integrity of parameter 1 */
		{0x184, -EPROTO},       /* value of handle 1 */
		{0x101, -EBUSY},        /* failure mode */
		{0x100, -EBUSY},        /* not started */
		{0x14a, -EBUSY},        /* NV not written */
		{0x922, -EBUSY},        /* retry */
		{TSS2_RESMGR_TPM_RC_LAYER | 0x18b, -ENOENT},
		{TSS2_RESMGR_TPM_RC_LAYER | 0x99d, -EKEYREJECTED},
		{TSS2_RESMGR_TPM_RC_LAYER | 0x921, -EACCES},
		{TSS2_TCTI_RC_IO_ERROR, -ENODEV},
		{TSS2_TCTI_RC_NO_CONNECTION, -ENODEV},
		{TSS2_TCTI_RC_MALFORMED_RESPONSE, -ENODEV},
		{TSS2_ESYS_RC_RSP_AUTH_FAILED, -EBADMSG}, /* changed on its way */
		{TSS2_ESYS_RC_MALFORMED_RESPONSE, -EBADMSG},
		{TSS2_ESYS_RC_BAD_TR, -EBADMSG},
		{TSS2_SYS_RC_MALFORMED_RESPONSE, -EBADMSG},
		{TSS2_MU_RC_BAD_SIZE, -EBADMSG},
		{0x902, -ENOSPC},
		{0x903, -ENOSPC},
		{0x905, -ENOSPC},
		{TSS2_RESMGR_TPM_RC_LAYER | 0x903, -ENOSPC},
		{TSS2_RESMGR_RC_LAYER | 1, -EBUSY},
		{0xffffffff, -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (tpm_code(rows[i].rc) != rows[i].code)
			fail_msg("0x%08x: %d, expected %d", rows[i].rc, tpm_code(rows[i].rc),
				 rows[i].code);
}

static void test_fail(void **state)
{
	struct tpm t = {0};
	struct err err;

	(void)state;
	assert_int_equal(tpm_fail(&t, 0x99d, &err, "unwrap %s", "a key"), -EKEYREJECTED);
	assert_int_equal(t.last_rc, 0x99d);
	assert_int_equal(err.code, -EKEYREJECTED);
	assert_int_equal(strncmp(err.text, "unwrap a key: ", 14), 0);
	assert_contains(err.text, "a policy check failed (0x0000099d)");
	assert_int_equal(tpm_fail(&t, 0x921, NULL, "lock"), -EACCES);
	assert_int_equal(t.last_rc, 0x921);
}

static void test_calls(void **state)
{
	struct tpm t = {0};

	(void)state;
	assert_int_equal(TPM_CALL(&t, 0x18b), 0x18b);
	assert_int_equal(t.last_rc, 0x18b);
	assert_int_equal(TPM_CALL(&t, (usleep(2000), TSS2_RC_SUCCESS)), TSS2_RC_SUCCESS);
	assert_int_equal(t.last_rc, 0x18b); /* the last that failed */
	assert_true(t.spent_ns >= 2000000);
}

static void test_find(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object key = TPM_OBJECT_NONE(&w->t);
	TPM2B_PUBLIC public;
	TPM2B_NAME name;
	TPM2B_NAME *its_name;
	ESYS_TR found = 4711;
	char text[TPM_NAME_TEXT_SIZE];

	tpm_refused(w, tpm_find(&w->t, 0x81010128, &found, &public, &name, &w->err), -ENOENT,
		    "read what is at 0x81010128");
	assert_int_equal(found, 4711);
	assert_int_equal(w->t.last_rc, 0x18b);
	key.handle = tpm_make_quick_key(&w->t);
	assert_int_equal(tpm_count_objects(&w->t), 1);
	tpm_persist(&w->t, key.handle, 0x81010128);
	tpm_must(w, tpm_find(&w->t, 0x81010128, &found, &public, &name, &w->err));
	assert_int_equal(public.publicArea.type, TPM2_ALG_ECC);
	assert_int_equal(Esys_TR_GetName(w->t.esys, key.handle, &its_name), TSS2_RC_SUCCESS);
	assert_true(tpm_name_equal(&name, its_name));
	tpm_name_text(&name, text);
	assert_int_equal(strlen(text), 2 * 34);
	assert_int_equal(strncmp(text, "000b", 4), 0); /* SHA-256 */
	Esys_Free(its_name);
	tpm_must(w, tpm_find(&w->t, 0x81010128, NULL, NULL, NULL, &w->err));
	tpm_flush(&key);
	assert_int_equal(key.handle, ESYS_TR_NONE);
	tpm_flush(&key);
}

static void test_names(void **state)
{
	TPM2B_NAME a = {.size = 34, .name = {0, 11, 1}};
	TPM2B_NAME b = a;
	TPM2B_NAME none = {0};

	(void)state;
	assert_true(tpm_name_equal(&a, &b));
	b.name[33] = 1;
	assert_false(tpm_name_equal(&a, &b));
	b = a;
	b.size = 33;
	assert_false(tpm_name_equal(&a, &b));
	assert_false(tpm_name_equal(&none, &none)); /* none is nobody's */
}

/* A session authorizes nothing here, but it encrypts; and it goes on after a command. */
static void test_sessions(void **state)
{
	static const TPM2_SE types[] = {TPM2_SE_HMAC, TPM2_SE_POLICY};
	struct tpm_world *w = *state;
	struct tpm_object key = TPM_OBJECT_NONE(&w->t);
	struct tpm_object session;
	TPM2B_DIGEST *random;

	key.handle = tpm_make_quick_key(&w->t);
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		tpm_must(w, tpm_session_start(&w->t, key.handle, types[i], &session, &w->err));
		for (int n = 0; n < 2; n++) {
			tpm_session_encrypts(&session, TPM_ENCRYPT_RESPONSE);
			assert_int_equal(Esys_GetRandom(w->t.esys, session.handle, ESYS_TR_NONE,
							ESYS_TR_NONE, 8, &random),
					 TSS2_RC_SUCCESS);
			Esys_Free(random);
			assert_int_equal(tpm_count_sessions(&w->t), 1);
		}
		tpm_flush(&session);
		assert_int_equal(session.handle, ESYS_TR_NONE);
		assert_int_equal(tpm_count_sessions(&w->t), 0);
	}
	tpm_flush(&key);
}

static void test_no_session(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object session = {.handle = 4711};
	int rc = tpm_session_start(&w->t, ESYS_TR_RH_OWNER, TPM2_SE_HMAC, &session, &w->err);

	assert_true(rc < 0);
	assert_int_equal(session.handle, ESYS_TR_NONE);
	assert_contains(w->err.text, "start a session");
	tpm_flush(&session);
}

static void test_tpm_that_is_gone(void **state)
{
	struct tpm_world *w = *state;
	TPM2B_NAME name;

	assert_int_equal(kill(w->swtpm.pid, SIGKILL), 0);
	tpm_refused(w, tpm_find(&w->t, 0x81010128, NULL, NULL, &name, &w->err), -ENODEV,
		    "read what is at");
	tpm_world_power_cycle(w);
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes), cmocka_unit_test(test_fail),
		cmocka_unit_test(test_calls), with_tpm(test_find),
		cmocka_unit_test(test_names), with_tpm(test_sessions),
		with_tpm(test_no_session),    with_tpm(test_tpm_that_is_gone),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
