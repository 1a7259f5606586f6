/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/handshake_exchange.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "base/kem.h"

bool handshake_exchange_may_tell(const struct handshake_facts *facts)
{
	return facts->setup->version >= 2 && kem_is_there();
}

static int check(const struct handshake_facts *facts, struct err *err)
{
	const struct handshake_conductor_setup *setup = facts->setup;
	char peer[2 * TOKEN_NAME_SIZE + 16];

	if (!setup->requires_post_quantum || (facts->hello->has_kem_key && kem_is_there()))
		return 0;
	(void)snprintf(peer, sizeof(peer), "router %s node %s", facts->candidate->claims.router,
		       facts->candidate->node);
	return key_exchange_refuse("this conductor", peer, setup->group, setup->version,
				   kem_is_there(), err);
}

int handshake_exchange_keys(const struct handshake_facts *facts, struct transcript *transcript,
			    struct message_challenge *challenge,
			    char ret_key_exchange[KEY_EXCHANGE_SIZE], struct err *err)
{
	const struct message_hello *hello = facts->hello;
	struct span secret = span_of(facts->candidate->claims.secret, TOKEN_SECRET_SIZE);
	uint8_t shared[KEM_SECRET_SIZE];
	int rc = check(facts, err);

	if (rc < 0)
		return rc;
	challenge->has_kem_ciphertext = hello->has_kem_key && kem_is_there();
	key_exchange_name(ret_key_exchange, facts->setup->group, challenge->has_kem_ciphertext);
	if (challenge->has_kem_ciphertext) {
		rc = kem_encapsulate(span_of(hello->kem_key, sizeof(hello->kem_key)),
				     challenge->kem_ciphertext, shared, err);
		if (rc == 0)
			transcript_set_kem_secret(transcript, shared);
		OPENSSL_cleanse(shared, sizeof(shared));
	}
	if (rc == 0 && transcript_set_secret(transcript, secret) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	return rc;
}
