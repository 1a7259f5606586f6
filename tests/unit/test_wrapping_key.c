/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The wrapping key: made, found, told from foreign ones; and that there is no way to use it but its
 * policy. */
#include "swtpm.h"

#include "base/macros.h"
#include "integrity/fek.h"
#include "integrity/wrapping_key.h"

#define HANDLE 0x81010128

static const struct pcr_policy no_pcrs = {0};
static const struct pcr_policy first_pcr = {.bank = TPM2_ALG_SHA256, .mask = 1};
static const struct pcr_policy seventh_pcr = {.bank = TPM2_ALG_SHA256, .mask = 1u << 7};
static const TPM2B_SENSITIVE_CREATE no_secret = {0};
static const TPM2B_DATA no_data = {0};
static const TPML_PCR_SELECTION no_pcr = {0};
static const TPMT_RSA_DECRYPT scheme_of_key = {.scheme = TPM2_ALG_NULL};

struct login_keys {
	struct tpm_world *w;
	struct tpm *t;
	ESYS_TR srk;
	struct tpm_object session; /* salted HMAC */
	struct wrapping_key key;
	struct tpm_object loaded;
};

static void get_srk(struct login_keys *k, struct tpm_world *w)
{
	*k = (struct login_keys){.w = w, .t = &w->t};
	k->loaded = TPM_OBJECT_NONE(k->t);
	tpm_must(w, srk_provide(k->t, &k->srk, &w->err));
	tpm_must(w, tpm_session_start(k->t, k->srk, TPM2_SE_HMAC, &k->session, &w->err));
}

static void make_key(struct login_keys *k, struct tpm_world *w, const struct pcr_policy *policy)
{
	get_srk(k, w);
	tpm_must(w, wrapping_key_create(k->t, k->srk, &k->session, policy, &k->key, &w->err));
	tpm_must(w, wrapping_key_load(k->t, k->srk, &k->session, &k->key, &k->loaded, &w->err));
}

static void end_keys(struct login_keys *k)
{
	tpm_flush(&k->loaded);
	tpm_flush(&k->session);
}

static void read_policy(struct tpm_world *w, TPM2_ALG_ID bank, uint32_t mask,
			struct pcr_policy *ret)
{
	ret->bank = bank;
	ret->mask = mask;
	tpm_must(w, tpm_pcr_read(&w->t, bank, mask, &ret->values, &w->err));
}

/* What software says of a policy is what a TPM says. */
static void test_policy_digest(void **state)
{
	static const struct {
		TPM2_ALG_ID bank;
		uint32_t mask;
	} rows[] = {
		{TPM2_ALG_SHA256, 0},           /* PolicyCommandCode */
		{TPM2_ALG_SHA256, 1},           /* the first */
		{TPM2_ALG_SHA256, 1u << 23},    /* the last */
		{TPM2_ALG_SHA256, 1u << 7 | 1}, /* two */
		{TPM2_ALG_SHA256, 0xffffff},    /* all: three answers */
		{TPM2_ALG_SHA1, 1u << 16 | 1u << 4},
		{TPM2_ALG_SHA384, 0x0000ff},
		{TPM2_ALG_SHA512, 0x0f0f0f},
	};
	struct tpm_world *w = *state;

	tpm_extend(&w->t, 7, 1);
	tpm_extend(&w->t, 16, 2);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct pcr_policy asked = {.bank = rows[i].bank, .mask = rows[i].mask};
		struct pcr_policy policy = {0};
		struct tpm_object session;
		TPM2B_DIGEST expected;
		TPM2B_DIGEST *digest;
		ESYS_TR srk;

		tpm_must(w, srk_provide(&w->t, &srk, &w->err));
		tpm_must(w, tpm_session_start(&w->t, srk, TPM2_SE_TRIAL, &session, &w->err));
		tpm_must(w, wrapping_key_authorize(&w->t, &session, &asked, &w->err));
		assert_int_equal(Esys_PolicyGetDigest(w->t.esys, session.handle, ESYS_TR_NONE,
						      ESYS_TR_NONE, ESYS_TR_NONE, &digest),
				 TSS2_RC_SUCCESS);
		tpm_flush(&session);
		read_policy(w, rows[i].bank, rows[i].mask, &policy);
		assert_int_equal(wrapping_key_policy(&policy, &expected), 0);
		assert_int_equal(expected.size, digest->size);
		assert_memory_equal(expected.buffer, digest->buffer, digest->size);
		Esys_Free(digest);
	}
}

static enum key_owner owner_of(struct tpm_world *w, const TPM2B_NAME *known, size_t n_known,
			       const struct pcr_policy *policy)
{
	enum key_owner owner = (enum key_owner)4711;

	tpm_must(w, wrapping_key_owner(&w->t, HANDLE, known, n_known, policy, &owner, &w->err));
	return owner;
}

static void test_owner(void **state)
{
	struct tpm_world *w = *state;
	TPM2B_NAME known[3] = {0};
	struct pcr_policy policy = {0};
	struct pcr_policy later = {0};
	struct login_keys k;

	assert_int_equal(owner_of(w, known, 3, &no_pcrs), KEY_ABSENT);
	read_policy(w, TPM2_ALG_SHA256, 1u << 16, &policy);
	tpm_extend(&w->t, 16, 1);
	read_policy(w, TPM2_ALG_SHA256, 1u << 16, &later);

	/* Without PCRs, whatever is configured now. */
	make_key(&k, w, &no_pcrs);
	tpm_must(w, wrapping_key_persist(k.t, &k.loaded, HANDLE, &w->err));
	assert_int_equal(owner_of(w, known, 0, &no_pcrs), KEY_OURS);
	assert_int_equal(owner_of(w, known, 3, &policy), KEY_OURS);
	tpm_must(w, wrapping_key_evict(k.t, HANDLE, &w->err));
	assert_int_equal(owner_of(w, known, 3, &policy), KEY_ABSENT);
	tpm_must(w, wrapping_key_evict(k.t, HANDLE, &w->err));
	end_keys(&k);

	/* With: by these values, or by its Name. */
	make_key(&k, w, &policy);
	tpm_must(w, wrapping_key_persist(k.t, &k.loaded, HANDLE, &w->err));
	assert_int_equal(owner_of(w, known, 3, &policy), KEY_OURS);
	assert_int_equal(owner_of(w, known, 3, &later), KEY_FOREIGN);
	assert_int_equal(owner_of(w, known, 3, &no_pcrs), KEY_FOREIGN);
	known[2] = k.key.name;
	assert_int_equal(owner_of(w, known, 3, &later), KEY_OURS);
	assert_int_equal(owner_of(w, known, 2, &later), KEY_FOREIGN);
	known[2].name[9] ^= 1;
	assert_int_equal(owner_of(w, known, 3, &later), KEY_FOREIGN);
	end_keys(&k);
}

/* Keys that are like ours but for one thing. */
static const struct {
	TPMA_OBJECT more, less;
	TPM2_ALG_ID hash;
	UINT16 bits;
} likes[] = {
	{TPMA_OBJECT_USERWITHAUTH, 0, TPM2_ALG_SHA256, 2048}, /* a password would do */
	{0, TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT, TPM2_ALG_SHA256, 2048}, /* may leave */
	{0, TPMA_OBJECT_ADMINWITHPOLICY, TPM2_ALG_SHA256, 2048},
	{0, TPMA_OBJECT_NODA, TPM2_ALG_SHA256, 2048},
	{0, 0, TPM2_ALG_SHA1, 2048},
	{0, 0, TPM2_ALG_SHA256, 3072},
};

static void place_like(struct login_keys *k, size_t i)
{
	TPM2B_PUBLIC template = {
		.publicArea = k->key.public.publicArea,
	};
	TPMT_PUBLIC *p = &template.publicArea;
	TPM2B_PRIVATE *private;
	TPM2B_PUBLIC *public;
	struct wrapping_key like;
	struct tpm_object loaded;

	p->objectAttributes = (p->objectAttributes | likes[i].more) & ~likes[i].less;
	p->parameters.rsaDetail.scheme.details.oaep.hashAlg = likes[i].hash;
	p->parameters.rsaDetail.keyBits = likes[i].bits;
	p->unique.rsa.size = 0;
	assert_int_equal(Esys_Create(k->t->esys, k->srk, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				     ESYS_TR_NONE, &no_secret, &template, &no_data, &no_pcr,
				     &private, &public, NULL, NULL, NULL),
			 TSS2_RC_SUCCESS);
	like.public = *public;
	like.private = *private;
	Esys_Free(public);
	Esys_Free(private);
	tpm_must(k->w, wrapping_key_load(k->t, k->srk, &k->session, &like, &loaded, &k->w->err));
	tpm_must(k->w, wrapping_key_persist(k->t, &loaded, HANDLE, &k->w->err));
	tpm_flush(&loaded);
}

static void test_foreign_template(void **state)
{
	struct tpm_world *w = *state;
	struct login_keys k;

	make_key(&k, w, &no_pcrs);
	for (size_t i = 0; i < N_ELEMENTS(likes); i++) {
		TPM2B_NAME name;

		place_like(&k, i);
		tpm_must(w, tpm_find(k.t, HANDLE, NULL, NULL, &name, &w->err));
		/* Its Name does not make it ours. */
		if (owner_of(w, &name, 1, &no_pcrs) != KEY_FOREIGN)
			fail_msg("row %zu", i);
		/* It stays in the way. */
		assert_true(wrapping_key_persist(k.t, &k.loaded, HANDLE, &w->err) < 0);
		assert_contains(w->err.text, "make a key persistent at 0x81010128");
		tpm_must(w, wrapping_key_evict(k.t, HANDLE, &w->err));
	}
	end_keys(&k);
}

/* Decrypt what is encrypted to it. */
static TSS2_RC decrypt_by(struct login_keys *k, ESYS_TR session)
{
	static const uint8_t fek[FSCRYPT_FEK_SIZE] = {1};
	static const TPM2B_DATA label = {.size = 2, .buffer = "x"};
	TPM2B_PUBLIC_KEY_RSA cipher = {.size = WRAPPED_SIZE};
	TPM2B_PUBLIC_KEY_RSA *plain = NULL;
	TSS2_RC rc;

	tpm_must(k->w, fek_wrap(&k->key.public, fek, "x", cipher.buffer, &k->w->err));
	rc = Esys_RSA_Decrypt(k->t->esys, k->loaded.handle, session, ESYS_TR_NONE, ESYS_TR_NONE,
			      &cipher, &scheme_of_key, &label, &plain);
	Esys_Free(plain);
	return rc;
}

static void start_policy(struct login_keys *k, struct tpm_object *ret)
{
	tpm_must(k->w, tpm_session_start(k->t, k->srk, TPM2_SE_POLICY, ret, &k->w->err));
}

static void test_used_by_policy_only(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object session;
	struct login_keys k;

	make_key(&k, w, &no_pcrs);
	assert_int_equal(decrypt_by(&k, ESYS_TR_PASSWORD), 0x12f); /* not by a password */
	assert_int_equal(decrypt_by(&k, k.session.handle), 0x12f); /* nor by an HMAC */
	start_policy(&k, &session);
	assert_int_equal(tpm_code(decrypt_by(&k, session.handle)), -EKEYREJECTED);
	tpm_must(w, wrapping_key_authorize(k.t, &session, &no_pcrs, &w->err));
	assert_int_equal(decrypt_by(&k, session.handle), TSS2_RC_SUCCESS);
	tpm_flush(&session);
	/* Another policy than its own. */
	start_policy(&k, &session);
	tpm_must(w, wrapping_key_authorize(k.t, &session, &first_pcr, &w->err));
	assert_int_equal(tpm_code(decrypt_by(&k, session.handle)), -EKEYREJECTED);
	tpm_flush(&session);
	end_keys(&k);
}

static void test_used_with_its_pcrs_only(void **state)
{
	struct tpm_world *w = *state;
	struct pcr_policy policy = {0};
	struct tpm_object session;
	struct login_keys k;

	read_policy(w, TPM2_ALG_SHA256, 1u << 16 | 1u << 7, &policy);
	make_key(&k, w, &policy);
	for (int i = 0; i < 2; i++) {
		start_policy(&k, &session);
		tpm_must(w, wrapping_key_authorize(k.t, &session, &policy, &w->err));
		if (i == 0)
			assert_int_equal(decrypt_by(&k, session.handle), TSS2_RC_SUCCESS);
		else
			assert_int_equal(tpm_code(decrypt_by(&k, session.handle)), -EKEYREJECTED);
		tpm_flush(&session);
		tpm_extend(k.t, 16, 1);
	}
	/* Other PCRs, another bank, or the policy of a key that has none. */
	start_policy(&k, &session);
	tpm_must(w, wrapping_key_authorize(k.t, &session, &seventh_pcr, &w->err));
	assert_int_equal(tpm_code(decrypt_by(&k, session.handle)), -EKEYREJECTED);
	tpm_flush(&session);
	start_policy(&k, &session);
	tpm_must(w, wrapping_key_authorize(k.t, &session, &no_pcrs, &w->err));
	assert_int_equal(tpm_code(decrypt_by(&k, session.handle)), -EKEYREJECTED);
	tpm_flush(&session);
	end_keys(&k);
}

static TSS2_RC change_auth(struct login_keys *k, ESYS_TR session)
{
	static const TPM2B_AUTH secret = {.size = 4, .buffer = "word"};
	TPM2B_PRIVATE *private = NULL;
	TSS2_RC rc = Esys_ObjectChangeAuth(k->t->esys, k->loaded.handle, k->srk, session,
					   ESYS_TR_NONE, ESYS_TR_NONE, &secret, &private);

	Esys_Free(private);
	return rc;
}

static TSS2_RC duplicate(struct login_keys *k, ESYS_TR session)
{
	static const TPMT_SYM_DEF_OBJECT in_the_clear = {.algorithm = TPM2_ALG_NULL};
	TPM2B_DATA *key = NULL;
	TPM2B_PRIVATE *private = NULL;
	TPM2B_ENCRYPTED_SECRET *seed = NULL;
	TSS2_RC rc =
		Esys_Duplicate(k->t->esys, k->loaded.handle, ESYS_TR_RH_NULL, session, ESYS_TR_NONE,
			       ESYS_TR_NONE, &no_data, &in_the_clear, &key, &private, &seed);

	Esys_Free(key);
	Esys_Free(private);
	Esys_Free(seed);
	return rc;
}

/* The owner can remove it, and that is all: its policy allows no command that changes it, or
 * takes it elsewhere. */
static void test_not_changed_nor_duplicated(void **state)
{
	struct tpm_world *w = *state;
	struct pcr_policy policy = {0};

	read_policy(w, TPM2_ALG_SHA256, 1u << 16, &policy);
	for (int i = 0; i < 2; i++) {
		const struct pcr_policy *its = i ? &policy : &no_pcrs;
		struct tpm_object session;
		struct login_keys k;

		make_key(&k, w, its);
		assert_int_not_equal(change_auth(&k, ESYS_TR_PASSWORD), TSS2_RC_SUCCESS);
		assert_int_not_equal(change_auth(&k, k.session.handle), TSS2_RC_SUCCESS);
		start_policy(&k, &session);
		tpm_must(w, wrapping_key_authorize(k.t, &session, its, &w->err));
		assert_int_not_equal(change_auth(&k, session.handle), TSS2_RC_SUCCESS);
		assert_int_not_equal(duplicate(&k, session.handle), TSS2_RC_SUCCESS);
		tpm_flush(&session);
		/* A policy session that is good for the command alone. */
		start_policy(&k, &session);
		assert_int_equal(Esys_PolicyCommandCode(k.t->esys, session.handle, ESYS_TR_NONE,
							ESYS_TR_NONE, ESYS_TR_NONE,
							TPM2_CC_ObjectChangeAuth),
				 TSS2_RC_SUCCESS);
		assert_int_equal(tpm_code(change_auth(&k, session.handle)), -EKEYREJECTED);
		tpm_flush(&session);
		end_keys(&k);
	}
}

/* Refusals leave nothing loaded. */
static void test_load_refused(void **state)
{
	struct tpm_world *w = *state;
	struct tpm_object loaded;
	struct login_keys k;

	make_key(&k, w, &no_pcrs);
	k.key.private.buffer[40] ^= 1;
	tpm_refused(w, wrapping_key_load(k.t, k.srk, &k.session, &k.key, &loaded, &w->err), -EPROTO,
		    "load the wrapping key");
	assert_int_equal(loaded.handle, ESYS_TR_NONE);
	end_keys(&k);
	assert_int_equal(tpm_count_objects(&w->t), 0);
}

#define with_tpm(test) cmocka_unit_test_setup_teardown(test, tpm_world_open, tpm_world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tpm(test_policy_digest),
		with_tpm(test_owner),
		with_tpm(test_foreign_template),
		with_tpm(test_used_by_policy_only),
		with_tpm(test_used_with_its_pcrs_only),
		with_tpm(test_not_changed_nor_duplicated),
		with_tpm(test_load_refused),
	};

	return cmocka_run_group_tests(tests, tpm_world_make, tpm_world_end);
}
