/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Credentials and quotes: those of a real TPM (swtpm with libtpms, recorded in vectors/tpm), and
 * each thing that may be wrong with a key or a quote.
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

static struct message_bytes recorded(const char *name)
{
	struct message_bytes bytes = {0};
	char *content =
		test_read(test_path(TEST_SOURCE_DIR "/tests/unit/vectors/tpm", name), &bytes.size);

	assert_true(bytes.size <= sizeof(bytes.bytes));
	memcpy(bytes.bytes, content, bytes.size);
	free(content);
	return bytes;
}

static struct span span(const struct message_bytes *bytes)
{
	return span_of(bytes->bytes, bytes->size);
}

static struct credential_ak read_ak(const struct message_bytes *public)
{
	struct credential_ak ak;
	struct err err = {0};

	if (credential_read_ak(&ak, span(public), &err) < 0)
		fail_msg("%s", err.text);
	return ak;
}

static struct message_attestation recorded_attestation(void)
{
	struct message_bytes pcrs = recorded("pcrs");
	struct message_attestation attestation = {
		.quote = recorded("quote"),
		.signature = recorded("signature"),
	};

	memcpy(attestation.pcrs, pcrs.bytes, sizeof(attestation.pcrs));
	return attestation;
}

static void test_real_ak(void **state)
{
	struct message_bytes public = recorded("ak.pub");
	struct message_bytes name = recorded("ak.name");
	struct credential_ak ak = read_ak(&public);

	(void)state;
	assert_int_equal(name.size, CREDENTIAL_NAME_SIZE);
	assert_memory_equal(ak.name, name.bytes, CREDENTIAL_NAME_SIZE);
	assert_int_equal(EVP_PKEY_get_bits(ak.key), 2048);
	credential_ak_release(&ak);
}

static void test_real_quote(void **state)
{
	struct message_bytes public = recorded("ak.pub");
	struct credential_ak ak = read_ak(&public);
	struct message_attestation attestation = recorded_attestation();
	uint8_t extra[32];
	struct err err = {0};

	(void)state;
	memset(extra, 0x11, sizeof(extra));
	if (credential_check_quote(&ak, &attestation, span_of(extra, 32), &err) < 0)
		fail_msg("%s", err.text);
	/* Each bit of the quote matters, and each of the signature's last bytes. */
	for (size_t bit = 0; bit < 8 * attestation.quote.size; bit++) {
		attestation.quote.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (credential_check_quote(&ak, &attestation, span_of(extra, 32), &err) == 0)
			fail_msg("bit %zu makes no difference", bit);
		attestation.quote.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t byte = 0; byte < attestation.signature.size; byte++) {
		attestation.signature.bytes[byte] ^= 0x40;
		if (credential_check_quote(&ak, &attestation, span_of(extra, 32), &err) == 0)
			fail_msg("byte %zu makes no difference", byte);
		attestation.signature.bytes[byte] ^= 0x40;
	}
	credential_ak_release(&ak);
}

static void test_keys_that_may_not_attest(void **state)
{
	static const struct {
		struct soft_tpm_ak ak;
		const char *reason; /* NULL = it may */
	} rows[] = {
		{{0}, NULL},
		{{.exponent = 65537}, NULL},
		{{.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x10000u}, "AK: is not restricted"},
		{{.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x2u}, "AK: is not fixedTPM"},
		{{.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x10u}, "AK: is not fixedParent"},
		{{.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x20u}, "AK: is not sensitiveDataOrigin"},
		{{.attributes = SOFT_TPM_AK_ATTRIBUTES & ~0x40000u}, "AK: is not sign"},
		{{.attributes = SOFT_TPM_AK_ATTRIBUTES | 0x20000u}, "AK: may decrypt"},
		{{.type = 0x0023}, "AK: type 0x0023, expected RSA"}, /* ECC */
		{{.name_algorithm = 0x0004}, "AK: name algorithm 0x0004, expected SHA-256"},
		{{.symmetric = 0x0006}, "AK: has a symmetric algorithm 0x0006"},
		{{.scheme = 0x0016}, "AK: scheme 0x0016 with hash 0x000b, expected RSASSA"},
		{{.scheme = 0x0010}, "AK: scheme 0x0010 with hash 0x0000, expected RSASSA"},
		{{.hash = 0x0004}, "AK: scheme 0x0014 with hash 0x0004, expected RSASSA"},
		{{.bits = 1024}, "AK: 1024 bits, expected 2048 to 4096"},
		{{.bits = 16384}, "AK: 16384 bits, expected 2048 to 4096"},
		{{.bits = 3072}, "AK: its modulus has not 3072 bits"},
		{{.exponent = 3}, "AK: exponent 3, expected 65537"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct credential_ak ak = {0};
		struct err err = {0};
		int rc;

		soft_tpm_make_ak(&tpm, &rows[i].ak);
		rc = credential_read_ak(&ak, span(&tpm.public), &err);
		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %s", i, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		assert_int_equal(ak.key == NULL, rc < 0);
		credential_ak_release(&ak);
	}
	soft_tpm_make_ak(&tpm, &rows[0].ak);
}

/* A key that is really small, and one whose modulus only claims to be large. */
static void test_small_key(void **state)
{
	struct soft_tpm small = {.ak = pki_key(1024)};
	struct credential_ak ak;
	struct err err = {0};

	(void)state;
	soft_tpm_make_ak(&small, &(struct soft_tpm_ak){0});
	assert_int_equal(credential_read_ak(&ak, span(&small.public), &err), -EKEYREJECTED);
	assert_contains(err.text, "AK: 1024 bits, expected 2048 to 4096");
	soft_tpm_make_ak(&small, &(struct soft_tpm_ak){.bits = 2048});
	assert_int_equal(credential_read_ak(&ak, span(&small.public), &err), -EKEYREJECTED);
	assert_contains(err.text, "AK: its modulus has not 2048 bits");
	soft_tpm_release(&small);
	tpm.public.bytes[tpm.public.size - 256] &= 0x7f; /* leading bit */
	assert_int_equal(credential_read_ak(&ak, span(&tpm.public), &err), -EKEYREJECTED);
	assert_contains(err.text, "AK: its modulus has not 2048 bits");
	tpm.public.bytes[tpm.public.size - 256] |= 0x80;
}

/* The EK itself decrypts: it may not attest. */
static void test_ek_as_ak(void **state)
{
	struct message_bytes public = recorded("ek.pub");
	struct credential_ak ak;
	struct err err = {0};

	(void)state;
	assert_int_equal(credential_read_ak(&ak, span(&public), &err), -EKEYREJECTED);
	assert_contains(err.text, "AK: has a symmetric algorithm 0x0006");
}

static void test_cut_at_every_byte(void **state)
{
	struct message_bytes public = recorded("ak.pub");
	struct credential_ak ak = read_ak(&public);
	struct message_attestation whole = recorded_attestation();
	struct message_attestation cut = whole;
	struct credential_ak none;
	uint8_t extra[32];
	struct err err = {0};

	(void)state;
	memset(extra, 0x11, sizeof(extra));
	for (size_t n = 0; n < public.size; n++) {
		assert_true(credential_read_ak(&none, span_of(public.bytes, n), &err) < 0);
		public.bytes[0] = (uint8_t)((n - 2) >> 8); /* and with a size that fits */
		public.bytes[1] = (uint8_t)(n - 2);
		assert_true(credential_read_ak(&none, span_of(public.bytes, n), &err) < 0);
		public.bytes[0] = 0x01;
		public.bytes[1] = 0x18;
	}
	assert_true(credential_read_ak(&none, span_of(public.bytes, public.size + 1), &err) < 0);
	for (cut.quote.size = 0; cut.quote.size < whole.quote.size; cut.quote.size++)
		assert_true(credential_check_quote(&ak, &cut, span_of(extra, 32), &err) < 0);
	cut.quote.size++;
	assert_int_equal(credential_check_quote(&ak, &cut, span_of(extra, 32), &err), -EBADMSG);
	cut = whole;
	for (cut.signature.size = 0; cut.signature.size < whole.signature.size;
	     cut.signature.size++)
		assert_true(credential_check_quote(&ak, &cut, span_of(extra, 32), &err) < 0);
	cut.signature.size++;
	assert_int_equal(credential_check_quote(&ak, &cut, span_of(extra, 32), &err), -EBADMSG);
	credential_ak_release(&ak);
}

static void test_quotes(void **state)
{
	EVP_PKEY *stranger = pki_key(2048);
	const struct {
		struct soft_tpm_quote quote;
		bool other_data;
		const char *reason; /* NULL = it is good */
	} rows[] = {
		{{0}, false, NULL},
		{{0}, true, "quote: over other data than this handshake"},
		{{.magic = 0x12345678}, false, "quote: magic 0x12345678, expected 0xff544347"},
		{{.type = 0x8017}, false, "quote: attests type 0x8017, expected a quote"},
		{{.n_selections = 3}, false, "quote: 0 PCR selections, expected 1"},
		{{.n_selections = 2}, false, "quote: 2 PCR selections, expected 1"},
		{{.selection = SOFT_TPM_NOTHING}, false, "quote: another PCR selection"},
		{{.selection = 0xfe0000}, false, "quote: another PCR selection"},
		{{.selection = 0xff0100}, false, "quote: another PCR selection"},
		{{.selection = 0x0000ff}, false, "quote: another PCR selection"},
		{{.hash = 0x0004}, false, "quote: another PCR selection than sha256 0 to 7"},
		{{.other_pcrs = true}, false, "quote: over other PCR values than shown"},
		{{.signer = stranger}, false, "quote: not signed by the AK"},
		{{.scheme = 0x0016}, false, "quote's signature: scheme 0x0016 with hash 0x000b"},
	};
	struct credential_ak ak = read_ak(&tpm.public);
	uint8_t extra[32] = {1};
	uint8_t other[32] = {2};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct message_attestation attestation;
		struct err err = {0};
		int rc;

		soft_tpm_quote(&tpm, &rows[i].quote,
			       span_of(rows[i].other_data ? other : extra, 32), &attestation);
		rc = credential_check_quote(&ak, &attestation, span_of(extra, 32), &err);
		if (rc != (rows[i].reason ? -EKEYREJECTED : 0))
			fail_msg("row %u: %s", i, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
	}
	EVP_PKEY_free(stranger);
	credential_ak_release(&ak);
}

/* For this AK in this TPM and for no other. */
static void test_credential(void **state)
{
	struct credential_ak ak = read_ak(&tpm.public);
	const struct message_proof proof = soft_tpm_proof(&tpm);
	struct message_credential credential;
	struct soft_tpm other = tpm;
	uint8_t secret[32] = {1, 2, 3};
	uint8_t opened[32];

	(void)state;
	assert_int_equal(credential_make(&credential, &proof, ak.name, span_of(secret, 32), NULL),
			 0);
	assert_true(soft_tpm_activate(&tpm, &credential, opened));
	assert_memory_equal(opened, secret, 32);
	other.ek = pki_key(2048); /* another TPM */
	assert_false(soft_tpm_activate(&other, &credential, opened));
	EVP_PKEY_free(other.ek);
	other = tpm; /* another AK there: the Name differs */
	soft_tpm_make_ak(&other, &(struct soft_tpm_ak){.exponent = 65537});
	assert_false(soft_tpm_activate(&other, &credential, opened));
	credential.blob.bytes[69] ^= 1;
	assert_false(soft_tpm_activate(&tpm, &credential, opened));
	credential_ak_release(&ak);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_ak),
		cmocka_unit_test(test_real_quote),
		cmocka_unit_test(test_keys_that_may_not_attest),
		cmocka_unit_test(test_small_key),
		cmocka_unit_test(test_ek_as_ak),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_credential),
	};

	return cmocka_run_group_tests(tests, make_tpm, end_tpm);
}
