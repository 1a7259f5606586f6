/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fek.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/macros.h"
#include "base/rsa_key.h"
#include "base/secret.h"

#define PCR_MOVED_TRIES 5

int fek_make(struct tpm *t, const struct tpm_object *session, uint8_t ret[FSCRYPT_FEK_SIZE],
	     struct err *err)
{
	TPM2B_DIGEST *random = NULL;
	TSS2_RC rc;
	bool whole;

	tpm_session_encrypts(session, TPM_ENCRYPT_RESPONSE);
	rc = TPM_CALL(t, Esys_GetRandom(t->esys, session->handle, ESYS_TR_NONE, ESYS_TR_NONE,
					FSCRYPT_FEK_SIZE, &random));
	if (rc != TSS2_RC_SUCCESS)
		return tpm_fail(t, rc, err, "random bytes of the TPM");
	whole = random->size == FSCRYPT_FEK_SIZE;
	if (whole)
		secret_copy(ret, random->buffer, FSCRYPT_FEK_SIZE);
	explicit_bzero(random, sizeof(*random));
	Esys_Free(random);
	return whole ? 0 : err_set(err, -EBADMSG, "random bytes of the TPM: too few");
}

static void free_pkey_context(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}

/* OpenSSL frees its label. */
static bool set_oaep(EVP_PKEY_CTX *context, const char *label)
{
	size_t size = strlen(label) + 1;
	void *copy = OPENSSL_memdup(label, size);

	if (copy && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
	    EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)size) == 1)
		return true;
	OPENSSL_free(copy);
	return false;
}

int fek_wrap(const TPM2B_PUBLIC *key, const uint8_t fek[FSCRYPT_FEK_SIZE], const char *label,
	     uint8_t ret[WRAPPED_SIZE], struct err *err)
{
	const TPM2B_PUBLIC_KEY_RSA *modulus = &key->publicArea.unique.rsa;
	_cleanup_(rsa_key_freep) EVP_PKEY *pkey =
		rsa_key_new(span_of(modulus->buffer, modulus->size), RSA_KEY_EXPONENT);
	_cleanup_(free_pkey_context) EVP_PKEY_CTX *context =
		pkey ? EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL) : NULL;
	size_t size = WRAPPED_SIZE;

	if (!context || EVP_PKEY_encrypt_init(context) != 1 || !set_oaep(context, label) ||
	    EVP_PKEY_encrypt(context, ret, &size, fek, FSCRYPT_FEK_SIZE) != 1 ||
	    size != WRAPPED_SIZE)
		return err_set(err, -EIO, "wrap the filesystem encryption key: OpenSSL refuses");
	return 0;
}

/* What is needed to have something decrypted. A policy session authorizes a single command. */
struct opening {
	struct tpm *t;
	ESYS_TR key;
	const struct tpm_object *session;
	const struct pcr_policy *policy;
	TPM2B_DATA label;
	bool used; /* the session was used for a command, so it must be authorized anew */
};

/* RSA_Decrypt is the only command that uses the key. If the TPM refuses its parameter, it refuses
 * what was wrapped to the key. */
static int refused(struct tpm *t, TSS2_RC rc, struct err *err)
{
	int code = tpm_fail(t, rc, err, "unwrap the filesystem encryption key");

	if (code == -EKEYREJECTED)
		code = -ENOKEY;
	else if (code == -EPROTO || code == -EPERM || code == -ENOENT)
		code = -EILSEQ;
	if (err)
		err->code = code;
	return code;
}

static int decrypt(const struct opening *o, const uint8_t wrapped[WRAPPED_SIZE],
		   uint8_t ret[FSCRYPT_FEK_SIZE], struct err *err)
{
	static const TPMT_RSA_DECRYPT scheme_of_key = {.scheme = TPM2_ALG_NULL};
	TPM2B_PUBLIC_KEY_RSA cipher = {.size = WRAPPED_SIZE};
	TPM2B_PUBLIC_KEY_RSA *plain = NULL;
	TSS2_RC rc;
	bool whole;

	memcpy(cipher.buffer, wrapped, WRAPPED_SIZE);
	rc = TPM_CALL(o->t,
		      Esys_RSA_Decrypt(o->t->esys, o->key, o->session->handle, ESYS_TR_NONE,
				       ESYS_TR_NONE, &cipher, &scheme_of_key, &o->label, &plain));
	if (rc != TSS2_RC_SUCCESS)
		return refused(o->t, rc, err);
	whole = plain->size == FSCRYPT_FEK_SIZE;
	if (whole)
		secret_copy(ret, plain->buffer, FSCRYPT_FEK_SIZE);
	explicit_bzero(plain, sizeof(*plain));
	Esys_Free(plain);
	/* The TPM decrypts whatever somebody has encrypted to the key, so the content is checked
	 * too. */
	return whole ? 0
		     : err_set(err, -EILSEQ,
			       "unwrap the filesystem encryption key: it is not of %d bytes",
			       FSCRYPT_FEK_SIZE);
}

/* Tries again a few times if a PCR changes meanwhile. */
static int authorize_and_decrypt(struct opening *o, const uint8_t wrapped[WRAPPED_SIZE],
				 uint8_t ret[FSCRYPT_FEK_SIZE], struct err *err)
{
	struct tpm *t = o->t;
	int rc = -EAGAIN;

	for (int i = 0; i < PCR_MOVED_TRIES && rc == -EAGAIN; i++) {
		if (o->used)
			(void)TPM_CALL(t,
				       Esys_PolicyRestart(t->esys, o->session->handle, ESYS_TR_NONE,
							  ESYS_TR_NONE, ESYS_TR_NONE));
		o->used = true;
		tpm_session_encrypts(o->session, TPM_ENCRYPT_BOTH);
		rc = wrapping_key_authorize(t, o->session, o->policy, err);
		if (rc == 0)
			rc = decrypt(o, wrapped, ret, err);
	}
	return rc;
}

/* Does the key decrypt something that we have just wrapped to it, under the same label? */
static bool decrypts_at_all(struct opening *o, const char *label)
{
	static const uint8_t known[FSCRYPT_FEK_SIZE] = "known, and nobody's secret";
	uint8_t wrapped[WRAPPED_SIZE];
	uint8_t again[FSCRYPT_FEK_SIZE];
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc = TPM_CALL(o->t, Esys_ReadPublic(o->t->esys, o->key, ESYS_TR_NONE, ESYS_TR_NONE,
						    ESYS_TR_NONE, &public, NULL, NULL));
	bool does = rc == TSS2_RC_SUCCESS && fek_wrap(public, known, label, wrapped, NULL) == 0 &&
		    authorize_and_decrypt(o, wrapped, again, NULL) == 0 &&
		    memcmp(known, again, sizeof(known)) == 0;

	Esys_Free(public);
	return does;
}

int fek_unwrap(struct tpm *t, ESYS_TR key, const struct tpm_object *session,
	       const struct pcr_policy *policy, const uint8_t wrapped[WRAPPED_SIZE],
	       const char *label, uint8_t ret[FSCRYPT_FEK_SIZE], struct err *err)
{
	struct opening o = {.t = t, .key = key, .session = session, .policy = policy};
	int rc;

	o.label.size = (UINT16)(strlen(label) + 1);
	if (o.label.size > sizeof(o.label.buffer))
		return err_set(err, -EINVAL, "label of the wrapped key: too long");
	memcpy(o.label.buffer, label, o.label.size);
	rc = authorize_and_decrypt(&o, wrapped, ret, err);
	/* libtpms (0.9) reports a failure of the TPM where it should refuse a value. If the key
	 * decrypts something else, the TPM is not at fault. */
	if (rc == -EBUSY && t->last_rc == TPM2_RC_FAILURE)
		rc = authorize_and_decrypt(&o, wrapped, ret, err);
	if (rc == -EBUSY && t->last_rc == TPM2_RC_FAILURE && decrypts_at_all(&o, label)) {
		rc = -EILSEQ;
		if (err)
			err->code = rc;
	}
	return rc;
}
