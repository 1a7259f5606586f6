/* identity.h - the conductor's certificate, as tokens name it.
 */
#pragma once

#include <stdint.h>

#include "base/jws.h"
#include "base/settings.h"

struct conductor_identity {
	struct jws_key key;   /* private */
	uint8_t *certificate; /* DER; owned */
	size_t certificate_size;
	uint8_t *ca_certificate; /* DER; owned */
	size_t ca_certificate_size;
	int64_t expires_s; /* the certificate */
};

/* Read what the configuration names and check it as a token needs it: readable, RSA, the key's own,
 * signed by the CA, not expired; and show it to a router in memory, which must take it. Each has
 * its own message. May block on the disk. */
int conductor_identity_load(struct conductor_identity *ret, const struct config_conductor *config,
			    struct err *err);
void conductor_identity_release(struct conductor_identity *identity);
