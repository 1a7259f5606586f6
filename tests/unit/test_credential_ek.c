/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Credentials for endorsement keys of each kind, and what is no endorsement key. soft_tpm opens
 * them; tests/e2e/test_credential.py has a real TPM do so.
 */
#include "pki.h"
#include "soft_tpm.h"
#include "support.h"

#include "base/macros.h"
#include "conductor/enrolment/credential.h"

static struct soft_tpm tpm;

static int make_tpm(void **state)
{
	(void)state;
	soft_tpm_init(&tpm);
	return 0;
}

static int end_tpm(void **state)
{
	(void)state;
	soft_tpm_release(&tpm);
	return 0;
}

/* Each kind that the TCG's profile has, and what its own public area may say beside that. The
 * curves more than once: numbers that begin with a zero come by chance. */
static void test_kinds_of_ek(void **state)
{
	static const struct {
		unsigned rsa_bits;
		const char *curve;
		const char *hash;
		unsigned aes_bits;
		unsigned times;
	} rows[] = {
		{2048, NULL, NULL, 0, 1},       {2048, NULL, "SHA256", 256, 1},
		{3072, NULL, "SHA384", 256, 1}, {3072, NULL, "SHA256", 128, 1},
		{4096, NULL, "SHA512", 256, 1}, {0, "P-256", "SHA256", 128, 600},
		{0, "P-384", "SHA384", 256, 1}, {0, "P-521", "SHA512", 256, 20},
		{0, "P-256", "SHA384", 256, 1},
	};
	static const uint8_t secret[32] = {1, 2, 3};
	struct credential_ak ak;
	struct err ak_err = {0};

	(void)state;
	assert_int_equal(
		credential_read_ak(&ak, span_of(tpm.public.bytes, tpm.public.size), &ak_err), 0);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		for (unsigned n = 0; n < rows[i].times; n++) {
			struct soft_tpm other = tpm;
			struct message_credential credential;
			struct message_proof proof;
			struct err err = {0};
			uint8_t opened[32];

			other.ek = rows[i].curve ? EVP_EC_gen(rows[i].curve)
						 : pki_key(rows[i].rsa_bits);
			other.ek_hash = rows[i].hash;
			other.ek_aes_bits = rows[i].aes_bits;
			proof = soft_tpm_proof(&other);
			if (credential_make(&credential, &proof, ak.name, span_of(secret, 32),
					    &err) < 0)
				fail_msg("row %u: %s", i, err.text);
			if (!soft_tpm_activate(&other, &credential, opened))
				fail_msg("row %u: its TPM does not open it", i);
			assert_memory_equal(opened, secret, 32);
			credential.blob.bytes[credential.blob.size - 1] ^= 1;
			assert_false(soft_tpm_activate(&other, &credential, opened));
			EVP_PKEY_free(other.ek);
		}
	credential_ak_release(&ak);
}

/* Refused, as shown, for that reason. */
static void assert_ek_refused(const struct message_proof *proof, int code, const char *reason)
{
	static const uint8_t name[CREDENTIAL_NAME_SIZE];
	static const uint8_t secret[32];
	struct message_credential credential;
	struct err err = {0};

	if (credential_make(&credential, proof, name, span_of(secret, 32), &err) != code)
		fail_msg("%d, expected %d (%s): %s", err.code, code, reason, err.text);
	assert_contains(err.text, reason);
}

static void test_eks_refused(void **state)
{
	static const char kinds[] = "EK: expected a key of RSA, of 2048 to 4096 bits, or on P-256";
	struct soft_tpm refused[] = {
		{.ek = pki_key(1024)},
		{.ek = pki_public_key(2048, "100000000000000000001")},
		{.ek = EVP_EC_gen("secp256k1")},
		{.ek = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")},
	};
	struct message_proof proof;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(refused); i++) {
		memset(&proof, 0, sizeof(proof));
		soft_tpm_read_ek(&refused[i], &proof.ek);
		assert_ek_refused(&proof, -EINVAL, kinds);
		EVP_PKEY_free(refused[i].ek);
	}
	proof = soft_tpm_proof(&tpm);
	proof.ek.size++; /* something after it */
	assert_ek_refused(&proof, -EINVAL, kinds);
	proof.ek.size = 0;
	assert_ek_refused(&proof, -EINVAL, kinds);
}

/* What says that it is the public area of the EK. */
static void test_public_areas_refused(void **state)
{
	static const struct {
		unsigned at; /* of a field of two bytes in a TPM2B_PUBLIC on P-384 */
		unsigned value;
		int code;
		const char *reason;
	} rows[] = {
		{0, 0x0001, -EBADMSG, "EK: not a TPM2B_PUBLIC"},
		{2, 0x0008, -EBADMSG, "EK: not a TPM2B_PUBLIC of RSA or of a curve"},
		{2, 0x0001, -EBADMSG, "EK: not a TPM2B_PUBLIC of RSA or of a curve"},
		{4, 0x0004, -EKEYREJECTED, "EK: name algorithm 0x0004"},       /* SHA-1 */
		{4, 0x0012, -EKEYREJECTED, "EK: name algorithm 0x0012"},       /* SM3 */
		{14, 0x0013, -EKEYREJECTED, "symmetric 0x0013 with 256 bits"}, /* SM4 */
		{14, 0x0010, -EKEYREJECTED, "symmetric 0x0010"},
		{16, 192, -EKEYREJECTED, "symmetric 0x0006 with 192 bits"},
		{18, 0x0042, -EKEYREJECTED, "expected SHA-256, SHA-384 or SHA-512"}, /* CBC */
		{20, 0x0018, -EKEYREJECTED, "EK: name algorithm"},                   /* signs */
		{22, 0x0003, -EBADMSG, "of a curve"},                                /* P-256 */
		{22, 0x0020, -EBADMSG, "of a curve"},                                /* SM2 */
		{24, 0x0020, -EBADMSG, "of a curve"}, /* a derivation of its own */
		{28, 0x1234, -EBADMSG, "of a curve"}, /* no such point */
	};
	struct soft_tpm curve = tpm;
	struct soft_tpm other = tpm;
	struct message_proof whole;
	struct message_proof proof;

	(void)state;
	curve.ek = EVP_EC_gen("P-384");
	other.ek = EVP_EC_gen("P-384");
	curve.ek_hash = other.ek_hash = "SHA384";
	curve.ek_aes_bits = other.ek_aes_bits = 256;
	whole = soft_tpm_proof(&curve);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		proof = whole;
		proof.ek_public.bytes[rows[i].at] = (uint8_t)(rows[i].value >> 8);
		proof.ek_public.bytes[rows[i].at + 1] = (uint8_t)rows[i].value;
		assert_ek_refused(&proof, rows[i].code, rows[i].reason);
	}
	proof = whole;
	soft_tpm_read_ek_public(&other, &proof.ek_public);
	assert_ek_refused(&proof, -EKEYREJECTED, "EK: its TPM2B_PUBLIC is of another key");
	for (size_t n = 1; n < whole.ek_public.size; n++) {
		proof = whole;
		proof.ek_public.size = n;
		assert_ek_refused(&proof, -EBADMSG, "EK: not a TPM2B_PUBLIC");
		proof.ek_public.bytes[0] = 0;
		proof.ek_public.bytes[1] = (uint8_t)(n - 2); /* and with a size that fits */
		if (n >= 22)
			assert_ek_refused(&proof, -EBADMSG, "EK: not a TPM2B_PUBLIC");
	}
	EVP_PKEY_free(curve.ek);
	EVP_PKEY_free(other.ek);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_of_ek),
		cmocka_unit_test(test_eks_refused),
		cmocka_unit_test(test_public_areas_refused),
	};

	return cmocka_run_group_tests(tests, make_tpm, end_tpm);
}
