/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity-handler/lean_crypto.h"

#include <dlfcn.h>
#include <openssl/crypto.h>

/* Where it fails, libcrypto does the same later, and says so. */
void lean_crypto_init(void)
{
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ADD_ALL_CIPHERS |
					  OPENSSL_INIT_NO_ADD_ALL_DIGESTS,
				  NULL);
}

static OSSL_LIB_CTX *the_one;

OSSL_LIB_CTX *OSSL_LIB_CTX_new(void)
{
	OSSL_LIB_CTX *(*make)(void);

	if (the_one)
		return the_one;
	/* POSIX, dlsym: a function comes out of it as a void *. */
	*(void **)&make = dlsym(RTLD_NEXT, "OSSL_LIB_CTX_new");
	if (make)
		the_one = make();
	return the_one;
}

void OSSL_LIB_CTX_free(OSSL_LIB_CTX *context)
{
	(void)context;
}
