/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/hkdf.h"

#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <string.h>

static const int modes[] = {
	[HKDF_EXTRACT] = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
	[HKDF_EXPAND] = EVP_KDF_HKDF_MODE_EXPAND_ONLY,
	[HKDF_EXTRACT_AND_EXPAND] = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND,
};

int hkdf_sha256(enum hkdf_step step, struct span key, struct span salt, const char *label,
		uint8_t ret[HKDF_SIZE])
{
	EVP_KDF *kind = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *derivation = kind ? EVP_KDF_CTX_new(kind) : NULL;
	int mode = modes[step];
	char digest[] = "SHA256";
	char info[64];
	OSSL_PARAM parameters[6];
	OSSL_PARAM *at = parameters;
	bool good;

	assert(strlen(label) < sizeof(info));
	(void)memcpy(info, label, strlen(label) + 1);
	*at++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	*at++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.bytes,
						  key.size);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
						  (void *)(uintptr_t)salt.bytes, salt.size);
	*at++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(info));
	*at = OSSL_PARAM_construct_end();
	good = derivation && EVP_KDF_derive(derivation, ret, HKDF_SIZE, parameters) == 1;
	EVP_KDF_CTX_free(derivation);
	EVP_KDF_free(kind);
	return good ? 0 : -ENOMEM;
}
