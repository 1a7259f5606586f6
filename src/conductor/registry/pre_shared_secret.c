/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/pre_shared_secret.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#define N_CHARACTERS (sizeof(characters) - 1)
#define FAIR_BELOW                                                                                 \
	(256 / N_CHARACTERS * N_CHARACTERS) /* with the bytes from here on, some characters would  \
					       come more often than others */

int pre_shared_secret_make(char ret[TOKEN_SECRET_SIZE + 1], struct err *err)
{
	uint8_t random[2 * TOKEN_SECRET_SIZE];
	size_t n = 0;

	while (n < TOKEN_SECRET_SIZE) {
		if (RAND_priv_bytes(random, sizeof(random)) != 1)
			return err_set(err, -EIO, "OpenSSL's random generator gives nothing");
		for (size_t i = 0; i < sizeof(random) && n < TOKEN_SECRET_SIZE; i++)
			if (random[i] < FAIR_BELOW)
				ret[n++] = characters[random[i] % N_CHARACTERS];
	}
	ret[n] = '\0';
	explicit_bzero(random, sizeof(random));
	return 0;
}
