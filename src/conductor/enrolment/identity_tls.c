/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity_tls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/conductor_certificate.h"
#include "onboarding/key_signer.h"
#include "onboarding/token.h"

#define ROUNDS_MAX 10 /* a handshake takes two */

int identity_tls_open(struct tls_context **ret, struct tls_signer *ret_signer,
		      const struct conductor_identity *identity, struct err *err)
{
	uint8_t *public_key = NULL;
	size_t public_size = 0;
	int rc = 0;

	*ret_signer = key_signer(identity->key.key);
	if (key_signer_public(identity->key.key, &public_key, &public_size) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0) {
		const struct tls_identity shown = {
			.chain = span_of_string(identity->chain),
			.public_key = span_of(public_key, public_size),
			.signer = ret_signer,
		};

		rc = tls_context_new_server(ret, &shown, err);
	}
	OPENSSL_free(public_key);
	return rc;
}

static int carry(struct tls_channel *from, struct tls_channel *to, struct err *err)
{
	struct span pending = tls_channel_pending(from);

	if (tls_channel_receive(to, pending) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	tls_channel_sent(from, pending.size);
	return 0;
}

static int advance(struct tls_channel *channel, int rc, struct err *err)
{
	return rc == -EAGAIN ? tls_channel_advance(channel, err) : rc;
}

static int shake_hands(struct tls_channel *router, struct tls_channel *conductor, struct err *err)
{
	int router_rc = -EAGAIN;
	int conductor_rc = -EAGAIN;

	for (unsigned i = 0; i < ROUNDS_MAX && (router_rc < 0 || conductor_rc < 0); i++) {
		int rc;

		router_rc = advance(router, router_rc, err);
		rc = carry(router, conductor, err);
		if (router_rc < 0 && router_rc != -EAGAIN)
			return router_rc; /* the router's reason is told first, since the conductor
					     only hears that it gave up */
		conductor_rc = advance(conductor, conductor_rc, err);
		if (rc == 0)
			rc = carry(conductor, router, err);
		if (rc == 0 && conductor_rc < 0 && conductor_rc != -EAGAIN)
			rc = conductor_rc;
		if (rc < 0)
			return rc;
	}
	return router_rc < 0 || conductor_rc < 0
		       ? err_set(err, -EPROTO, "the TLS handshake does not come to an end")
		       : 0;
}

static int judge(struct tls_channel *router, const struct conductor_identity *identity,
		 struct err *err)
{
	struct span ca = span_of(identity->ca_certificate, identity->ca_certificate_size);
	struct span chain[TLS_CHAIN_MAX];
	size_t n = tls_channel_peer_chain(router, chain);

	if (n == 0 || chain[0].size != identity->certificate_size ||
	    memcmp(chain[0].bytes, identity->certificate, identity->certificate_size) != 0)
		return err_set(err, -EPROTO, "another than the key's own is shown");
	return conductor_certificate_check(ca, chain, n, err);
}

static int meet(struct tls_context *conductors, const struct conductor_identity *identity,
		struct err *err)
{
	struct tls_context *routers = NULL;
	struct tls_channel *router = NULL;
	struct tls_channel *conductor = NULL;
	int rc = tls_context_new_client(&routers, NULL, err);

	if (rc == 0)
		rc = tls_channel_open(&router, routers, err);
	if (rc == 0)
		rc = tls_channel_open(&conductor, conductors, err);
	if (rc == 0)
		rc = shake_hands(router, conductor, err);
	if (rc == 0)
		rc = judge(router, identity, err);
	tls_channel_free(router);
	tls_channel_free(conductor);
	tls_context_free(routers);
	return rc;
}

int identity_tls_rehearse(const struct conductor_identity *identity,
			  const struct config_conductor *config, struct err *err)
{
	struct tls_context *conductors = NULL;
	struct tls_signer signer;
	struct err why = {0};
	int rc;

	if (identity->ca_certificate_size > TOKEN_CERTIFICATE_MAX)
		return err_set(err, -EINVAL,
			       "ca-certificate %s: %zu bytes, and a token has room for %u",
			       config->ca_certificate, identity->ca_certificate_size,
			       TOKEN_CERTIFICATE_MAX);
	rc = identity_tls_open(&conductors, &signer, identity, &why);
	if (rc == 0)
		rc = meet(conductors, identity, &why);
	tls_context_free(conductors);
	if (rc == 0)
		return 0;
	return err_set(err, rc == -ENOMEM ? rc : -EINVAL,
		       "certificate %s, ca-certificate %s: routers would refuse them: %s",
		       config->certificate, config->ca_certificate, why.text);
}
