/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity.h - the conductor's certificate, as tokens name it.
 */
#pragma once

#include <stdint.h>

#include "base/jws.h"

struct conductor_identity {
	struct jws_key key;   /* private */
	uint8_t *certificate; /* DER; owned */
	size_t certificate_size;
	uint8_t *ca_certificate; /* DER; owned */
	size_t ca_certificate_size;
	char *chain;       /* PEM, owned: the certificate, and what leads from it to the CA's */
	int64_t expires_s; /* the certificate */
};

void conductor_identity_release(struct conductor_identity *identity);
