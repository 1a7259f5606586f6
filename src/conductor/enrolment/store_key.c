/* SPDX-License-Identifier: GPL-3.0-or-later */
#define OPENSSL_SUPPRESS_DEPRECATED /* engines: Debian 12 has no provider for PKCS #11 */
#include "conductor/enrolment/store_key.h"

#include <errno.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <pthread.h>
#include <string.h>

#include "base/macros.h"

#define PKCS11 "pkcs11"

static void free_store(OSSL_STORE_CTX **store)
{
	(void)OSSL_STORE_close(*store);
}

static void free_method(UI_METHOD **method)
{
	UI_destroy_method(*method);
}

bool store_key_is_uri(const char *place)
{
	return place[0] != '/' && strchr(place, ':') != NULL;
}

static bool is_pkcs11(const char *uri)
{
	return strncasecmp(uri, PKCS11 ":", sizeof(PKCS11)) == 0;
}

/* An engine asks without an owner. */
static int tell(char *buffer, int size, int writing, void *owner)
{
	const char *pin = owner;
	const size_t length = pin ? strlen(pin) : 0;

	(void)writing;
	if (length == 0 || length > (size_t)size)
		return -1;
	memcpy(buffer, pin, length);
	return (int)length;
}

static EVP_PKEY *read_key(OSSL_STORE_CTX *store)
{
	EVP_PKEY *key = NULL;

	while (store && !key && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *found = OSSL_STORE_load(store);

		if (!found && OSSL_STORE_error(store))
			break;
		if (found && OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_PKEY)
			key = OSSL_STORE_INFO_get1_PKEY(found);
		OSSL_STORE_INFO_free(found);
	}
	return key;
}

static EVP_PKEY *open_store(const char *uri, const UI_METHOD *method, char *pin)
{
	_cleanup_(free_store) OSSL_STORE_CTX *store = OSSL_STORE_open(uri, method, pin, NULL, NULL);

	if (store && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) != 1)
		return NULL;
	return read_key(store);
}

/* Both stay until the process ends: keys need them. */

static bool has_provider;
static ENGINE *engine;

static void find_pkcs11(void)
{
	has_provider = OSSL_PROVIDER_try_load(NULL, PKCS11, 1) != NULL;
	if (has_provider)
		return;
	ENGINE_load_dynamic();
	engine = ENGINE_by_id(PKCS11);
	if (engine && ENGINE_init(engine) != 1) {
		ENGINE_free(engine);
		engine = NULL;
	}
}

static EVP_PKEY *ask_engine(const char *uri, UI_METHOD *method, const char *pin)
{
	if (pin && ENGINE_ctrl_cmd_string(engine, "PIN", pin, 0) != 1)
		return NULL;
	return ENGINE_load_private_key(engine, uri, method, NULL);
}

static int refuse(const char *uri, struct err *err)
{
	/* A token's own reason comes before what the engine makes of it. */
	const char *why = ERR_reason_error_string(is_pkcs11(uri) && engine ? ERR_peek_error()
									   : ERR_peek_last_error());

	if (is_pkcs11(uri) && !has_provider && !engine)
		return err_set(err, -EINVAL,
			       "%s: libcrypto cannot open it: expected Debian's pkcs11-provider or "
			       "libengine-pkcs11-openssl",
			       uri);
	return err_set(err, -EINVAL, "%s: expected a private key there: %s", uri,
		       why ? why : "there is none");
}

int store_key_load(EVP_PKEY **ret, const char *uri, const char *pin, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_(free_method) UI_METHOD *method = UI_UTIL_wrap_read_pem_callback(tell, 0);
	char *owned_pin = pin ? OPENSSL_strdup(pin) : NULL;
	EVP_PKEY *key = NULL;
	int rc = 0;

	if (strstr(uri, "pin-value"))
		rc = err_set(
			err, -EINVAL,
			"the URI has a PIN in it: expected it in a private-key-passphrase-file");
	else if (!method || (pin && !owned_pin))
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0 && is_pkcs11(uri))
		(void)pthread_once(&once, find_pkcs11);
	ERR_clear_error();
	if (rc == 0)
		key = is_pkcs11(uri) && engine ? ask_engine(uri, method, pin)
					       : open_store(uri, method, owned_pin);
	if (rc == 0 && !key)
		rc = refuse(uri, err);
	OPENSSL_clear_free(owned_pin, owned_pin ? strlen(owned_pin) : 0);
	ERR_clear_error();
	if (rc == 0)
		*ret = key;
	return rc;
}
