/* What all handshakes share: certificate, key, device-ID CAs. */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "conductord/sco_handshake.h"
#include "core/atomic_file.h"
#include "core/macros.h"

#define CHAIN_SIZE_MAX  (256u << 10)
#define REPOSITORY_PORT 8930

static const EVP_MD *digest_of(size_t size)
{
	switch (size) {
	case 32:
		return EVP_sha256();
	case 48:
		return EVP_sha384();
	case 64:
		return EVP_sha512();
	default:
		return NULL;
	}
}

/* By libcrypto: nearly five times as many a second as Debian's wolfSSL (onboarding.md, "Speed"). */
static int sign(void *owner, struct span digest, uint8_t *ret, size_t *size)
{
	const struct conductor_identity *identity = owner;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(identity->key.key, NULL);
	const EVP_MD *md = digest_of(digest.size);
	bool good = context && md && EVP_PKEY_sign_init(context) == 1 &&
		    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(context, md) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1 &&
		    EVP_PKEY_sign(context, ret, size, digest.bytes, digest.size) == 1;

	EVP_PKEY_CTX_free(context);
	return good ? 0 : -EIO;
}

static int make_tls(struct sco_context *c, const struct config_conductor *config, struct err *err)
{
	unsigned char *public_key = NULL;
	char *chain = NULL;
	size_t chain_size;
	int size = i2d_PUBKEY(c->identity.key.key, &public_key);
	int rc = file_read(config->certificate, CHAIN_SIZE_MAX, &chain, &chain_size, err);

	c->signer = (struct tls_signer){.sign = sign, .owner = &c->identity};
	if (rc == 0 && size < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0) {
		const struct tls_identity identity = {
			.chain = span_of(chain, chain_size),
			.public_key = span_of(public_key, (size_t)size),
			.signer = &c->signer,
		};

		rc = tls_context_new_server(&c->tls, &identity, err);
	}
	free(chain);
	OPENSSL_free(public_key);
	return rc;
}

int sco_context_init(struct sco_context *ret, struct registry *registry,
		     const struct config_conductor *config, struct err *err)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->registry = registry;
	ret->repository_port = REPOSITORY_PORT;
	rc = conductor_identity_load(&ret->identity, config, err);
	if (rc == 0 && config->device_id_ca) {
		rc = device_ca_load(&ret->device_ca, config->device_id_ca, config->device_id_crl,
				    err);
		ret->has_device_ca = rc == 0;
	}
	if (rc == 0)
		rc = make_tls(ret, config, err);
	if (rc < 0)
		sco_context_release(ret);
	return rc;
}

void sco_context_release(struct sco_context *context)
{
	tls_context_free(context->tls);
	if (context->has_device_ca)
		device_ca_release(&context->device_ca);
	conductor_identity_release(&context->identity);
	memset(context, 0, sizeof(*context));
}
