/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/tls_context.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/macros.h"
#include "onboarding/certificate_pem.h"
#include "onboarding/tls_channel_private.h"
#include "onboarding/tls_crypto.h"

static pthread_once_t initialized = PTHREAD_ONCE_INIT;
static int initialize_rc;

static void initialize(void)
{
	initialize_rc = wolfSSL_Init() == WOLFSSL_SUCCESS ? tls_crypto_register() : -EIO;
}

static int sign_pss(WOLFSSL *wolfssl, const unsigned char *digest, unsigned int digest_size,
		    unsigned char *ret, unsigned int *ret_size, int hash, int mgf,
		    const unsigned char *key, unsigned int key_size, void *owner)
{
	const struct tls_signer *signer = owner;
	size_t size = *ret_size;

	(void)wolfssl;
	(void)hash;
	(void)mgf;
	(void)key;
	(void)key_size;
	if (signer->sign(signer->owner, span_of(digest, digest_size), ret, &size) < 0)
		return -1;
	*ret_size = (unsigned int)size;
	return 0;
}

static int sign_ecdsa(WOLFSSL *wolfssl, const unsigned char *digest, unsigned int digest_size,
		      unsigned char *ret, word32 *ret_size, const unsigned char *key,
		      unsigned int key_size, void *owner)
{
	return sign_pss(wolfssl, digest, digest_size, ret, ret_size, 0, 0, key, key_size, owner);
}

/* wolfSSL would verify each of our signatures, which takes 40 µs. We skip this: libcrypto checks
 * itself whether a signature made by the Chinese remainder theorem is right, a faulty TPM does
 * not reveal its key so, and the peer verifies the signature. */
static int trust_signer(WOLFSSL *wolfssl, unsigned char *signature, unsigned int size,
			unsigned char **ret, int hash, int mgf, const unsigned char *key,
			unsigned int key_size, void *owner)
{
	(void)wolfssl;
	(void)signature;
	(void)size;
	(void)ret;
	(void)hash;
	(void)mgf;
	(void)key;
	(void)key_size;
	(void)owner;
	return 0;
}

/* Our own chain must be one that a peer will keep. */
static int check_own_chain(struct span pem, struct err *err)
{
	struct certificate_chain chain = {0};
	int rc = certificate_chain_read(&chain, pem);

	if (rc < 0)
		return err_set(err, rc, "TLS: expected a certificate chain in PEM");
	rc = peer_chain_check("TLS: our own certificate", chain.certificates, chain.n, err);
	certificate_chain_release(&chain);
	return rc;
}

static int use_identity(struct tls_context *context, const struct tls_identity *identity,
			struct err *err)
{
	WOLFSSL_CTX *wolfssl = context->wolfssl;
	int rc = check_own_chain(identity->chain, err);

	if (rc < 0)
		return rc;
	context->signer = identity->signer;
	wolfSSL_CTX_SetRsaPssSignCb(wolfssl, sign_pss);
	wolfSSL_CTX_SetRsaPssSignCheckCb(wolfssl, trust_signer);
	wolfSSL_CTX_SetEccSignCb(wolfssl, sign_ecdsa);
	if (wolfSSL_CTX_use_certificate_chain_buffer(wolfssl, identity->chain.bytes,
						     (long)identity->chain.size) != WOLFSSL_SUCCESS)
		return err_set(err, -EINVAL, "TLS: expected a certificate chain in PEM");
	if (wolfSSL_CTX_use_PrivateKey_buffer(wolfssl, identity->public_key.bytes,
					      (long)identity->public_key.size,
					      WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
		return err_set(err, -EINVAL,
			       "TLS: expected a public key in DER: RSA, P-256 or P-384");
	return 0;
}

static int configure(struct tls_context *context, const struct tls_identity *identity,
		     struct err *err)
{
	int groups[] = {WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_X25519};
	WOLFSSL_CTX *wolfssl = context->wolfssl;

	/* wolfSSL accepts a public key in place of the private one only if it believes that a
	 * device holds the private half. It never asks that device, because the callbacks that
	 * sign are called first.
	 */
	if (wolfSSL_CTX_SetDevId(wolfssl, TLS_CRYPTO_DEVICE) != WOLFSSL_SUCCESS ||
	    wolfSSL_CTX_SetMinVersion(wolfssl, WOLFSSL_TLSV1_3) != WOLFSSL_SUCCESS)
		return err_set(err, -EIO, "TLS 1.3 cannot be configured");
	if (wolfSSL_CTX_set_groups(wolfssl, groups, N_ELEMENTS(groups)) != WOLFSSL_SUCCESS)
		return err_set(err, -EIO, "TLS: P-256 and X25519 cannot be configured");
	if (context->is_server && wolfSSL_CTX_no_ticket_TLSv13(wolfssl) != 0)
		return err_set(err, -EIO, "TLS: tickets cannot be switched off");
	(void)wolfSSL_CTX_set_session_cache_mode(wolfssl, WOLFSSL_SESS_CACHE_OFF);
	wolfSSL_CTX_set_verify(wolfssl, WOLFSSL_VERIFY_PEER, tls_channel_take_any);
	wolfSSL_CTX_SetIORecv(wolfssl, tls_channel_take_received);
	wolfSSL_CTX_SetIOSend(wolfssl, tls_channel_put_pending);
	return identity ? use_identity(context, identity, err) : 0;
}

static int new_context(struct tls_context **ret, bool is_server,
		       const struct tls_identity *identity, struct err *err)
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int rc;

	(void)pthread_once(&initialized, initialize);
	if (initialize_rc < 0) {
		free(context);
		return err_set(err, initialize_rc, "TLS: wolfSSL or libcrypto cannot be used");
	}
	if (context) {
		context->is_server = is_server;
		context->wolfssl = wolfSSL_CTX_new(is_server ? wolfTLSv1_3_server_method()
							     : wolfTLSv1_3_client_method());
	}
	if (!context || !context->wolfssl) {
		free(context);
		return err_set(err, -ENOMEM, "TLS: out of memory");
	}
	rc = configure(context, identity, err);
	if (rc < 0)
		tls_context_free(context);
	else
		*ret = context;
	return rc;
}

int tls_context_new_server(struct tls_context **ret, const struct tls_identity *identity,
			   struct err *err)
{
	return new_context(ret, true, identity, err);
}

int tls_context_new_client(struct tls_context **ret, const struct tls_identity *identity,
			   struct err *err)
{
	return new_context(ret, false, identity, err);
}

void tls_context_free(struct tls_context *context)
{
	if (context)
		wolfSSL_CTX_free(context->wolfssl);
	free(context);
}
