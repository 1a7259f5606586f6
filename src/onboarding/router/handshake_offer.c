/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/handshake_offer.h"

#include <errno.h>
#include <openssl/crypto.h>

bool handshake_offer_has_kem(const struct handshake_offer *offer)
{
	return offer->has_kem && offer->version >= 2;
}

/* What each mode may ask for. */
static bool is_identity_of(enum onboarding_mode mode, enum message_identity identity)
{
	switch (mode) {
	case ONBOARDING_PSK_ONLY:
		return identity == IDENTITY_NONE;
	case ONBOARDING_WEAK:
		return identity == IDENTITY_CERTIFICATE;
	case ONBOARDING_STRONG:
		return identity != IDENTITY_NONE;
	case ONBOARDING_DISABLED:
		break;
	}
	return false;
}

int handshake_offer_check(const struct handshake_offer *offer,
			  const struct message_challenge *challenge, struct err *err)
{
	const char *mode = onboarding_mode_name(challenge->mode);

	if (challenge->has_kem_ciphertext && !handshake_offer_has_kem(offer))
		return err_set(err, -EPROTO,
			       "the conductor answers a key exchange that was not offered");
	if (challenge->mode < offer->minimum_mode)
		return err_set(err, -EACCES, "the conductor asks for mode %s, minimum-mode is %s",
			       mode, onboarding_mode_name(offer->minimum_mode));
	if (!is_identity_of(challenge->mode, challenge->identity))
		return err_set(err, -EACCES, "the conductor asks for identity %s in mode %s",
			       message_identity_name(challenge->identity), mode);
	if (challenge->identity == IDENTITY_CERTIFICATE && !offer->has_certificate)
		return err_set(
			err, -EACCES,
			"the conductor asks for a certificate in mode %s, none is configured",
			mode);
	if (offer->requires_post_quantum && !challenge->has_kem_ciphertext)
		return key_exchange_refuse("this router", "the conductor", offer->group,
					   offer->version, offer->has_kem, err);
	return 0;
}

/* From here on each key depends on what was exchanged by ML-KEM, if anything was. */
int handshake_offer_set_keys(struct handshake_offer *offer, struct transcript *transcript,
			     struct span secret, const struct message_challenge *challenge,
			     char ret_key_exchange[KEY_EXCHANGE_SIZE], struct err *err)
{
	uint8_t shared[KEM_SECRET_SIZE];
	int rc = 0;

	if (challenge->has_kem_ciphertext) {
		rc = kem_decapsulate(
			offer->kem_seed,
			span_of(challenge->kem_ciphertext, sizeof(challenge->kem_ciphertext)),
			shared, err);
		if (rc == 0)
			transcript_set_kem_secret(transcript, shared);
		OPENSSL_cleanse(shared, sizeof(shared));
	}
	OPENSSL_cleanse(offer->kem_seed, sizeof(offer->kem_seed));
	if (rc == 0 && transcript_set_secret(transcript, secret) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	key_exchange_name(ret_key_exchange, offer->group, challenge->has_kem_ciphertext);
	return rc;
}
