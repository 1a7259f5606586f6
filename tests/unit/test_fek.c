/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The filesystem encryption key: wrapped in software, unwrapped by a TPM, never on the bus in the
 * clear. */
#include "swtpm.h"

#include <dlfcn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/macros.h"
#include "integrity/fek.h"

#define LABEL "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG" /* as long as a record's */

static const struct pcr_policy no_pcrs = {0};

struct login_keys {
	struct tpm_world *w;
	struct tpm *t;
	ESYS_TR srk;
	struct wrapping_key key;
	struct tpm_object loaded;
	struct pcr_policy policy;
	uint8_t fek[FSCRYPT_FEK_SIZE];
	uint8_t wrapped[WRAPPED_SIZE];
};

static void make_keys(struct login_keys *k, struct tpm_world *w, const struct pcr_policy *policy)
{
	struct tpm_object session;

	*k = (struct login_keys){.w = w, .t = &w->t, .policy = *policy};
	tpm_must(w, srk_provide(k->t, &k->srk, &w->err));
	tpm_must(w, tpm_session_start(k->t, k->srk, TPM2_SE_HMAC, &session, &w->err));
	tpm_must(w, wrapping_key_create(k->t, k->srk, &session, policy, &k->key, &w->err));
	tpm_must(w, wrapping_key_load(k->t, k->srk, &session, &k->key, &k->loaded, &w->err));
	tpm_must(w, fek_make(k->t, &session, k->fek, &w->err));
	tpm_must(w, fek_wrap(&k->key.public, k->fek, LABEL, k->wrapped, &w->err));
	tpm_flush(&session);
}

/* Unwrap k->wrapped in a session of its own. */
static int unwrap(struct login_keys *k, const char *label, uint8_t ret[FSCRYPT_FEK_SIZE])
{
	struct tpm_object session;
	int rc;

	tpm_must(k->w, tpm_session_start(k->t, k->srk, TPM2_SE_POLICY, &session, &k->w->err));
	rc = fek_unwrap(k->t, k->loaded.handle, &session, &k->policy, k->wrapped, label, ret,
			&k->w->err);
	tpm_flush(&session);
	return rc;
}

static void assert_refused(struct login_keys *k, const char *label, int code)
{
	static const uint8_t nothing[FSCRYPT_FEK_SIZE];
	uint8_t fek[FSCRYPT_FEK_SIZE] = {0};

	tpm_refused(k->w, unwrap(k, label, fek), code, "");
	assert_memory_equal(fek, nothing, sizeof(fek));
}

static void test_there_and_back(void **state)
{
	struct tpm_world *w = *state;
	uint8_t fek[FSCRYPT_FEK_SIZE] = {0};
	uint8_t again[WRAPPED_SIZE];
	struct login_keys k;

	make_keys(&k, w, &no_pcrs);
	tpm_must(w, unwrap(&k, LABEL, fek));
	assert_memory_equal(fek, k.fek, sizeof(fek));
	/* Never the same twice. */
	tpm_must(w, fek_wrap(&k.key.public, k.fek, LABEL, again, &w->err));
	assert_memory_not_equal(again, k.wrapped, sizeof(again));
	memcpy(k.wrapped, again, sizeof(again));
	memset(fek, 0, sizeof(fek));
	tpm_must(w, unwrap(&k, LABEL, fek));
	assert_memory_equal(fek, k.fek, sizeof(fek));
	tpm_flush(&k.loaded);
}

static void test_made_by_the_tpm(void **state)
{
	struct tpm_world *w = *state;
	uint8_t feks[3][FSCRYPT_FEK_SIZE] = {{0}};
	struct tpm_object session;
	ESYS_TR srk;

	tpm_must(w, srk_provide(&w->t, &srk, &w->err));
	tpm_must(w, tpm_session_start(&w->t, srk, TPM2_SE_HMAC, &session, &w->err));
	for (size_t i = 0; i < 2; i++)
		tpm_must(w, fek_make(&w->t, &session, feks[i], &w->err));
	tpm_flush(&session);
	assert_memory_not_equal(feks[0], feks[1], FSCRYPT_FEK_SIZE);
	assert_memory_not_equal(feks[0], feks[2], FSCRYPT_FEK_SIZE);
	assert_memory_not_equal(feks[1], feks[2], FSCRYPT_FEK_SIZE);
}

static void test_label(void **state)
{
	struct tpm_world *w = *state;
	char too_long[sizeof(((TPM2B_DATA *)NULL)->buffer) + 1];
	uint8_t fek[FSCRYPT_FEK_SIZE] = {0};
	struct login_keys k;

	make_keys(&k, w, &no_pcrs);
	assert_refused(&k, LABEL "x", -EILSEQ);
	assert_refused(&k, LABEL + 1, -EILSEQ);
	assert_refused(&k, "", -EILSEQ);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	assert_refused(&k, too_long, -EINVAL);
	/* The longest that there is, and its zero. */
	too_long[sizeof(too_long) - 2] = '\0';
	tpm_must(w, fek_wrap(&k.key.public, k.fek, too_long, k.wrapped, &w->err));
	tpm_must(w, unwrap(&k, too_long, fek));
	assert_memory_equal(fek, k.fek, sizeof(fek));
	tpm_flush(&k.loaded);
}

/* Encrypt as a stranger would, who knows the public key. */
static void encrypt(const TPM2B_PUBLIC *key, int padding, size_t size, size_t label_size,
		    uint8_t ret[WRAPPED_SIZE])
{
	const TPM2B_PUBLIC_KEY_RSA *unique = &key->publicArea.unique.rsa;
	static const uint8_t plain[190] = {1, 2, 3};
	BIGNUM *modulus = BN_bin2bn(unique->buffer, unique->size, NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *from = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *parameters;
	EVP_PKEY_CTX *context;
	size_t written = WRAPPED_SIZE;

	assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_uint(builder, OSSL_PKEY_PARAM_RSA_E, 65537), 1);
	parameters = OSSL_PARAM_BLD_to_param(builder);
	assert_int_equal(EVP_PKEY_fromdata_init(from), 1);
	assert_int_equal(EVP_PKEY_fromdata(from, &pkey, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, padding), 1);
	if (padding == RSA_PKCS1_OAEP_PADDING) {
		void *label = OPENSSL_memdup(LABEL, sizeof(LABEL));

		assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), 1);
		assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int)label_size),
				 1);
	}
	assert_int_equal(EVP_PKEY_encrypt(context, ret, &written, plain, size), 1);
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(from);
	OSSL_PARAM_free(parameters);
	OSSL_PARAM_BLD_free(builder);
	BN_free(modulus);
}

static void test_of_a_stranger(void **state)
{
	static const size_t sizes[] = {0, 1, FSCRYPT_FEK_SIZE - 1, FSCRYPT_FEK_SIZE + 1, 64, 190};
	struct tpm_world *w = *state;
	uint8_t fek[FSCRYPT_FEK_SIZE];
	struct login_keys k;

	make_keys(&k, w, &no_pcrs);
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		encrypt(&k.key.public, RSA_PKCS1_OAEP_PADDING, sizes[i], sizeof(LABEL), k.wrapped);
		assert_refused(&k, LABEL, -EILSEQ);
		assert_contains(w->err.text, "it is not of 32 bytes");
	}
	encrypt(&k.key.public, RSA_PKCS1_PADDING, FSCRYPT_FEK_SIZE, 0, k.wrapped);
	assert_refused(&k, LABEL, -EILSEQ);
	/* The label's zero is a part of it. */
	encrypt(&k.key.public, RSA_PKCS1_OAEP_PADDING, FSCRYPT_FEK_SIZE, sizeof(LABEL) - 1,
		k.wrapped);
	assert_refused(&k, LABEL, -EILSEQ);
	/* Else the TPM decrypts it as happily as ours: the pin is what helps. */
	encrypt(&k.key.public, RSA_PKCS1_OAEP_PADDING, FSCRYPT_FEK_SIZE, sizeof(LABEL), k.wrapped);
	tpm_must(w, unwrap(&k, LABEL, fek));
	tpm_flush(&k.loaded);
}

static void test_changed(void **state)
{
	struct tpm_world *w = *state;
	struct wrapping_key another;
	struct tpm_object session;
	struct login_keys k;

	make_keys(&k, w, &no_pcrs);
	for (size_t i = 0; i < WRAPPED_SIZE; i += 51) {
		k.wrapped[i] ^= 1;
		assert_refused(&k, LABEL, -EILSEQ);
		k.wrapped[i] ^= 1;
	}
	tpm_must(w, tpm_session_start(k.t, k.srk, TPM2_SE_HMAC, &session, &w->err));
	tpm_must(w, wrapping_key_create(k.t, k.srk, &session, &no_pcrs, &another, &w->err));
	tpm_flush(&session);
	tpm_must(w, fek_wrap(&another.public, k.fek, LABEL, k.wrapped, &w->err));
	assert_refused(&k, LABEL, -EILSEQ);
	tpm_flush(&k.loaded);
}

static void test_no_key(void **state)
{
	static const TPM2B_PUBLIC rubbish = {.publicArea = {.unique.rsa = {.size = 0}}};
	uint8_t wrapped[WRAPPED_SIZE];
	struct err err = {0};

	(void)state;
	assert_int_equal(
		fek_wrap(&rubbish, (const uint8_t[FSCRYPT_FEK_SIZE]){1}, LABEL, wrapped, &err),
		-EIO);
	assert_contains(err.text, "wrap the filesystem encryption key");
}

/* Our own call comes here first: between policy and use a PCR moves, some times. */
static struct {
	struct tpm *t;
	unsigned index;
	unsigned times;
	unsigned calls;
} mover;

TSS2_RC Esys_RSA_Decrypt(ESYS_CONTEXT *esys, ESYS_TR key, ESYS_TR session1, ESYS_TR session2,
			 ESYS_TR session3, const TPM2B_PUBLIC_KEY_RSA *cipher,
			 const TPMT_RSA_DECRYPT *scheme, const TPM2B_DATA *label,
			 TPM2B_PUBLIC_KEY_RSA **message)
{
	static TSS2_RC (*real)(ESYS_CONTEXT *, ESYS_TR, ESYS_TR, ESYS_TR, ESYS_TR,
			       const TPM2B_PUBLIC_KEY_RSA *, const TPMT_RSA_DECRYPT *,
			       const TPM2B_DATA *, TPM2B_PUBLIC_KEY_RSA **);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "Esys_RSA_Decrypt");
	assert_non_null(real);
	mover.calls++;
	if (mover.times > 0) {
		mover.times--;
		tpm_extend(mover.t, mover.index, 1);
	}
	return real(esys, key, session1, session2, session3, cipher, scheme, label, message);
}

static void test_pcr_moves(void **state)
{
	static const struct {
		unsigned index; /* of the PCR that moves */
		unsigned times;
		int code;
		unsigned calls;
	} rows[] = {
		{10, 0, 0, 1},       /* none moves */
		{10, 1, 0, 2},       /* one that is not in the policy */
		{10, 4, 0, 5},       /* four times */
		{10, 5, -EAGAIN, 5}, /* for ever */
		{7, 1, -ENOKEY, 2},  /* one that is: the last, since it stays moved */
	};
	struct tpm_world *w = *state;
	struct pcr_policy policy = {.bank = TPM2_ALG_SHA256, .mask = 1u << 7};
	uint8_t fek[FSCRYPT_FEK_SIZE];
	struct login_keys k;

	tpm_must(w, tpm_pcr_read(&w->t, policy.bank, policy.mask, &policy.values, &w->err));
	make_keys(&k, w, &policy);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int rc;

		mover.t = &w->t;
		mover.index = rows[i].index;
		mover.times = rows[i].times;
		mover.calls = 0;
		memset(fek, 0, sizeof(fek));
		rc = unwrap(&k, LABEL, fek);
		mover.times = 0;
		if (rc != rows[i].code)
			fail_msg("row %zu: %d, %s", i, rc, w->err.text);
		assert_int_equal(mover.calls, rows[i].calls);
		if (rc == 0)
			assert_memory_equal(fek, k.fek, sizeof(fek));
	}
	tpm_flush(&k.loaded);
}

static bool is_on_bus(const char *capture, const uint8_t fek[FSCRYPT_FEK_SIZE])
{
	size_t size;
	char *bytes = test_read(capture, &size);
	bool found = memmem(bytes, size, fek, FSCRYPT_FEK_SIZE);

	assert_true(size > 1000);
	free(bytes);
	return found;
}

static void make_in_clear(struct tpm_world *w, uint8_t ret[FSCRYPT_FEK_SIZE])
{
	TPM2B_DIGEST *random;

	assert_int_equal(Esys_GetRandom(w->t.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					FSCRYPT_FEK_SIZE, &random),
			 TSS2_RC_SUCCESS);
	memcpy(ret, random->buffer, FSCRYPT_FEK_SIZE);
	Esys_Free(random);
}

/* All that goes to and fro is recorded; bytes that came in the clear are found in it. */
static void test_bus(void **state)
{
	struct tpm_world *w = *state;
	const char *capture = test_path(w->swtpm.folder, "bus.pcap");
	uint8_t in_clear[FSCRYPT_FEK_SIZE];
	uint8_t fek[FSCRYPT_FEK_SIZE];
	char tcti[300];
	struct login_keys k;

	tpm_close(&w->t);
	(void)snprintf(tcti, sizeof(tcti), "pcap:%s", w->swtpm.tcti);
	assert_int_equal(setenv("TCTI_PCAP_FILE", capture, 1), 0);
	tpm_must(w, tpm_open(&w->t, tcti, 0, &w->err));
	make_in_clear(w, in_clear);
	make_keys(&k, w, &no_pcrs);
	tpm_must(w, unwrap(&k, LABEL, fek));
	tpm_flush(&k.loaded);
	tpm_close(&w->t);
	assert_true(is_on_bus(capture, in_clear));
	assert_false(is_on_bus(capture, k.fek));
	tpm_must(w, tpm_open(&w->t, w->swtpm.tcti, 0, &w->err));
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tpm(test_there_and_back), with_tpm(test_made_by_the_tpm),
		with_tpm(test_label),          with_tpm(test_of_a_stranger),
		with_tpm(test_changed),        cmocka_unit_test(test_no_key),
		with_tpm(test_pcr_moves),      with_tpm(test_bus),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
