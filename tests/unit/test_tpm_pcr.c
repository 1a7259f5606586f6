/* SPDX-License-Identifier: GPL-3.0-or-later */
/* PCRs and their banks. */
#include "swtpm.h"

#include <openssl/evp.h>

#include "base/macros.h"

/* SHA-256 of the bank: PCR = H(PCR ‖ digest). */
static void test_pcr_values(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_pcr_values before;
	struct tpm_pcr_values after;
	uint8_t both[64];
	uint8_t expected[32];

	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, 0xffffff, &before, &w->err));
	tpm_extend(&w->t, 11, 0x5a);
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, 0xffffff, &after, &w->err));
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++) {
		assert_int_equal(after.values[i].size, 32);
		if (i != 11)
			assert_memory_equal(after.values[i].buffer, before.values[i].buffer, 32);
	}
	memcpy(both, before.values[11].buffer, 32);
	memset(both + 32, 0x5a, 32);
	assert_int_equal(EVP_Digest(both, 64, expected, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(after.values[11].buffer, expected, 32);
}

static void test_pcr_selection(void **state)
{
	struct tpm_world *w = *state;
	TPML_PCR_SELECTION selection = tpm_pcr_selection(TPM2_ALG_SHA384, 1u << 23 | 1u << 8 | 1);
	struct tpm_pcr_values values;

	assert_int_equal(selection.count, 1);
	assert_int_equal(selection.pcrSelections[0].hash, TPM2_ALG_SHA384);
	assert_int_equal(selection.pcrSelections[0].sizeofSelect, 3);
	assert_memory_equal(selection.pcrSelections[0].pcrSelect, "\x01\x01\x80", 3);
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA384, 1u << 23 | 1u << 8 | 1, &values, &w->err));
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++)
		assert_int_equal(values.values[i].size, i == 0 || i == 8 || i == 23 ? 48 : 0);
	tpm_must(w, tpm_pcr_read(&w->t, TPM2_ALG_SHA256, 0, &values, &w->err));
	assert_int_equal(values.values[0].size, 0);
	tpm_refused(w, tpm_pcr_read(&w->t, TPM2_ALG_SM3_256, 1, &values, &w->err), -EPROTO,
		    "read the PCRs");
}

static void test_banks(void **state)
{
	static const struct {
		const char *name;
		TPM2_ALG_ID bank;
	} rows[] = {
		{"sha1", TPM2_ALG_SHA1},
		{"sha256", TPM2_ALG_SHA256},
		{"sha384", TPM2_ALG_SHA384},
		{"sha512", TPM2_ALG_SHA512},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(tpm_bank(rows[i].name), rows[i].bank);
		assert_string_equal(tpm_bank_name(rows[i].bank), rows[i].name);
	}
	assert_int_equal(tpm_bank("sha3"), TPM2_ALG_ERROR);
	assert_int_equal(tpm_bank(""), TPM2_ALG_ERROR);
	assert_string_equal(tpm_bank_name(TPM2_ALG_SM3_256), "");
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tpm(test_pcr_values),
		with_tpm(test_pcr_selection),
		cmocka_unit_test(test_banks),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
