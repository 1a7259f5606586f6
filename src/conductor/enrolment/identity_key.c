/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "conductor/enrolment/store_key.h"
#include "onboarding/key_bounds.h"
#include "onboarding/token_signature.h"

#define PASSPHRASE_MAX 1024 /* bytes; libcrypto takes no longer one */

struct passphrase {
	char *bytes; /* the file's first line; NULL = none is configured */
	size_t size;
	size_t room;       /* of bytes, all wiped */
	bool is_asked_for; /* the key file is encrypted */
};

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void passphrase_release(struct passphrase *passphrase)
{
	OPENSSL_cleanse(passphrase->bytes, passphrase->room);
	free(passphrase->bytes);
}

static int read_passphrase(struct passphrase *ret, const char *path, struct err *err)
{
	int rc = file_read(path, PASSPHRASE_MAX + 2, &ret->bytes, &ret->room, err);

	if (rc < 0)
		return err_wrap(err, "private-key-passphrase-file");
	ret->size = strcspn(ret->bytes, "\r\n");
	if (ret->size > 0 && ret->size <= PASSPHRASE_MAX && !memchr(ret->bytes, '\0', ret->room)) {
		ret->bytes[ret->size] = '\0';
		return 0;
	}
	return err_set(err, -EINVAL,
		       "private-key-passphrase-file %s: expected a line of 1 to %d bytes", path,
		       PASSPHRASE_MAX);
}

/* Nobody is asked on a terminal. */
static int tell(char *buffer, int size, int writing, void *owner)
{
	struct passphrase *passphrase = owner;

	(void)writing;
	passphrase->is_asked_for = true;
	if (!passphrase->bytes || passphrase->size > (size_t)size)
		return -1;
	memcpy(buffer, passphrase->bytes, passphrase->size);
	return (int)passphrase->size;
}

static int explain(const struct passphrase *passphrase, const struct config_conductor *config,
		   struct err *err)
{
	if (!passphrase->is_asked_for)
		return err_set(err, -EINVAL, "%s: expected a private key in PEM",
			       config->private_key);
	if (!passphrase->bytes)
		return err_set(err, -EINVAL,
			       "%s: it is encrypted, expected its passphrase in a "
			       "private-key-passphrase-file",
			       config->private_key);
	return err_set(err, -EINVAL, "%s: the passphrase in %s does not open it",
		       config->private_key, config->private_key_passphrase_file);
}

static int read_key(EVP_PKEY **ret, struct passphrase *passphrase,
		    const struct config_conductor *config, struct err *err)
{
	FILE *file;

	if (store_key_is_uri(config->private_key))
		return store_key_load(ret, config->private_key, passphrase->bytes, err);
	file = file_open_stream(config->private_key, err);
	if (!file)
		return err ? err->code : -EINVAL;
	*ret = PEM_read_PrivateKey(file, NULL, tell, passphrase);
	(void)fclose(file);
	ERR_clear_error();
	return *ret ? 0 : explain(passphrase, config, err);
}

#define TAKEN "RSA of %d to %d bits, P-256 or P-384"

static int check_kind(EVP_PKEY *key, const char *place, struct err *err)
{
	const int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "RSA") && bits > KEY_BOUNDS_RSA_MAX)
		return err_set(err, -EINVAL,
			       "%s: it is an RSA key of %d bits, and wolfSSL signs with at most "
			       "%d: expected " TAKEN,
			       place, bits, KEY_BOUNDS_RSA_MAX, KEY_BOUNDS_RSA_MIN,
			       KEY_BOUNDS_RSA_MAX);
	if (!token_signature_header(key) ||
	    (EVP_PKEY_is_a(key, "RSA") && bits < KEY_BOUNDS_RSA_MIN))
		return err_set(err, -EINVAL, "%s: expected a key of " TAKEN, place,
			       KEY_BOUNDS_RSA_MIN, KEY_BOUNDS_RSA_MAX);
	return 0;
}

int identity_key_load(struct jws_key *ret, const struct config_conductor *config, struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	_cleanup_(passphrase_release) struct passphrase passphrase = {0};
	int rc = 0;

	if (config->private_key_passphrase_file)
		rc = read_passphrase(&passphrase, config->private_key_passphrase_file, err);
	if (rc < 0)
		return rc;
	rc = read_key(&key, &passphrase, config, err);
	if (rc == 0)
		rc = check_kind(key, config->private_key, err);
	if (rc < 0)
		return err_wrap(err, "private-key");
	ret->key = key;
	key = NULL;
	return jws_key_set_kid(ret) < 0 ? err_set(err, -ENOMEM, "private-key: out of memory") : 0;
}
