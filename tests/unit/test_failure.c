/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Failures: the words that support and the journal know them by. */
#include "support.h"

#include <errno.h>

#include "base/macros.h"
#include "integrity/failure.h"

static void test_names(void **state)
{
	static const char *const steps[] = {"start", "locate", "unseal",
					    "pass",  "unlock", "enable"};
	static const char *const causes[] = {
		"none",
		"no TPM",
		"TPM in use",
		"TPM silent",
		"TPM authorization set",
		"another TPM",
		"TPM cleared",
		"wrapping key replaced",
		"record changed or forged",
		"record removed",
		"record and pin lost",
		"unnamed pin",
		"not mounted",
		"PCR mismatch",
		"PCR bank gone",
		"sealed until the next boot",
		"no signed policy fits",
		"directory plain",
		"directory foreign",
		"directory a symlink",
		"directory missing",
		"directory added",
		"fscrypt's metadata missing",
		"fscrypt not set up",
		"fscrypt missing",
		"fscrypt refused",
		"configuration",
		"required, but not possible",
		"TPM not ready",
		"TPM error",
		"filesystem read-only",
		"filesystem full",
		"system error",
	};

	(void)state;
	assert_int_equal(N_STEPS, N_ELEMENTS(steps));
	assert_int_equal(N_CAUSES, N_ELEMENTS(causes));
	for (unsigned i = 0; i < N_STEPS; i++)
		assert_string_equal(integrity_step_name((enum integrity_step)i), steps[i]);
	for (unsigned i = 0; i < N_CAUSES; i++)
		assert_string_equal(integrity_cause_name((enum integrity_cause)i), causes[i]);
}

/* What the system refuses, and which words it gets. */
static void test_of_the_system(void **state)
{
	static const struct {
		int code;
		enum integrity_cause cause;
	} rows[] = {
		{-EROFS, CAUSE_READ_ONLY}, {-ENOSPC, CAUSE_FULL},   {-EDQUOT, CAUSE_FULL},
		{-EIO, CAUSE_SYSTEM},      {-EACCES, CAUSE_SYSTEM},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct failure f = {0};

		assert_int_equal(failure_set(&f, CAUSE_SYSTEM, rows[i].code, "x"), rows[i].code);
		assert_int_equal(f.cause, rows[i].cause);
		assert_int_equal(failure_because(&f, CAUSE_SYSTEM), rows[i].code);
		assert_int_equal(f.cause, rows[i].cause);
		/* Another cause knows better. */
		(void)failure_set(&f, CAUSE_NO_TPM, rows[i].code, "x");
		assert_int_equal(f.cause, CAUSE_NO_TPM);
	}
}

/* Each says what to do, and none of those that lose nothing says that all is lost. */
static void test_advice(void **state)
{
	(void)state;
	assert_string_equal(integrity_cause_advice(CAUSE_NONE), "");
	for (unsigned i = 1; i < N_CAUSES; i++) {
		const char *advice = integrity_cause_advice((enum integrity_cause)i);

		assert_true(strlen(advice) > 20);
		assert_int_equal(advice[strlen(advice) - 1], '.');
		assert_false(strstr(advice, "Nothing is lost") && strstr(advice, "RMA"));
	}
}

static void test_set(void **state)
{
	struct failure f = {.step = STEP_PASS, .tpm_rc = 0x99d};

	(void)state;
	assert_int_equal(
		failure_set(&f, CAUSE_DIRECTORY_PLAIN, -EBADMSG, "%s of %d", "/secrets", 2),
		-EBADMSG);
	assert_int_equal(f.cause, CAUSE_DIRECTORY_PLAIN);
	assert_int_equal(f.err.code, -EBADMSG);
	assert_string_equal(f.err.text, "directory plain: /secrets of 2");
	/* Where it happened is told by who knows. */
	assert_int_equal(f.step, STEP_PASS);
	assert_int_equal(f.tpm_rc, 0x99d);
}

static void test_because(void **state)
{
	struct failure f = {.step = STEP_ENABLE};

	(void)state;
	(void)err_set(&f.err, -ENODEV, "open the TPM");
	assert_int_equal(failure_because(&f, CAUSE_NO_TPM), -ENODEV);
	assert_int_equal(f.cause, CAUSE_NO_TPM);
	assert_string_equal(f.err.text, "no TPM: open the TPM");
	assert_int_equal(f.step, STEP_ENABLE);
}

static void test_long(void **state)
{
	struct failure f = {0};
	char text[2 * ERR_TEXT_SIZE];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(failure_set(&f, CAUSE_SYSTEM, -EIO, "%s", text), -EIO);
	assert_int_equal(strncmp(f.err.text, "system error: xxx", 17), 0);
	assert_true(strlen(f.err.text) < ERR_TEXT_SIZE);
	assert_int_equal(failure_because(&f, CAUSE_REQUIRED), -EIO);
	assert_int_equal(strncmp(f.err.text, "required, but not possible: system error: x", 43), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),   cmocka_unit_test(test_of_the_system),
		cmocka_unit_test(test_advice),  cmocka_unit_test(test_set),
		cmocka_unit_test(test_because), cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
