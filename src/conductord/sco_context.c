/* What all handshakes share: certificate, key, device-ID CAs. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "conductord/sco_handshake.h"
#include "core/atomic_file.h"
#include "onboarding/key_signer.h"

#define CHAIN_SIZE_MAX (256u << 10)

static int make_tls(struct sco_context *c, const struct config_conductor *config, struct err *err)
{
	uint8_t *public_key = NULL;
	size_t public_size = 0;
	char *chain = NULL;
	size_t chain_size;
	int rc = file_read(config->certificate, CHAIN_SIZE_MAX, &chain, &chain_size, err);

	c->signer = key_signer(c->identity.key.key);
	if (rc == 0 && key_signer_public(c->identity.key.key, &public_key, &public_size) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0) {
		const struct tls_identity identity = {
			.chain = span_of(chain, chain_size),
			.public_key = span_of(public_key, public_size),
			.signer = &c->signer,
		};

		rc = tls_context_new_server(&c->tls, &identity, err);
	}
	free(chain);
	OPENSSL_free(public_key);
	return rc;
}

int sco_context_init(struct sco_context *ret, struct registry *registry,
		     const struct config_conductor *config, uint16_t repository_port,
		     struct err *err)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->registry = registry;
	ret->repository_port = repository_port;
	ret->message_max = config->limits.message_size_bytes;
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
