/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/rsa_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

EVP_PKEY *rsa_key_new(struct span modulus, unsigned exponent)
{
	BIGNUM *n = BN_bin2bn(modulus.bytes, (int)modulus.size, NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *ret = NULL;

	if (n && builder && context &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_uint(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		parameters = OSSL_PARAM_BLD_to_param(builder);
	if (!parameters || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &ret, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		ret = NULL;
	OSSL_PARAM_free(parameters);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	return ret;
}

void rsa_key_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}
