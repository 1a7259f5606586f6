/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/certificate_pem.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/macros.h"

bool certificate_pem_is_at_end(void)
{
	unsigned long error = ERR_peek_last_error();

	ERR_clear_error();
	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static void free_bio(BIO **bio)
{
	(void)BIO_free(*bio);
}

int certificate_chain_read(struct certificate_chain *ret, struct span pem)
{
	_cleanup_(certificate_chain_release) struct certificate_chain chain = {0};
	_cleanup_(free_bio) BIO *bio = BIO_new_mem_buf(pem.bytes, (int)pem.size);
	unsigned char *der = NULL;
	long size = 0;

	if (!bio)
		return -ENOMEM;
	while (chain.n < N_ELEMENTS(chain.certificates)) {
		if (PEM_bytes_read_bio(&der, &size, NULL, PEM_STRING_X509, bio, NULL, NULL) != 1)
			break;
		chain.certificates[chain.n++] = span_of(der, (size_t)size);
	}
	if (chain.n == 0 ||
	    (chain.n < N_ELEMENTS(chain.certificates) && !certificate_pem_is_at_end()))
		return -EINVAL;
	*ret = chain;
	memset(&chain, 0, sizeof(chain));
	return 0;
}

void certificate_chain_release(struct certificate_chain *chain)
{
	for (size_t i = 0; i < chain->n; i++)
		OPENSSL_free((void *)(uintptr_t)chain->certificates[i].bytes);
	memset(chain, 0, sizeof(*chain));
}
