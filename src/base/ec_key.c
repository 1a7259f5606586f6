/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/ec_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

EVP_PKEY *ec_key_new(const char *curve, struct span point)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *parameters = NULL;
	EVP_PKEY *key = NULL;

	if (builder && context &&
	    OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.bytes,
					     point.size) == 1)
		parameters = OSSL_PARAM_BLD_to_param(builder);
	if (!parameters || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
		key = NULL;
		ERR_clear_error();
	}
	OSSL_PARAM_free(parameters);
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_BLD_free(builder);
	return key;
}
