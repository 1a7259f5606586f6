/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity_key.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "onboarding/key_bounds.h"
#include "onboarding/token_signature.h"

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

/* A key file with a pass phrase is refused, not asked for on a terminal. */
static int no_pass_phrase(char *buffer, int size, int writing, void *user)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)user;
	return -1;
}

static int read_file(EVP_PKEY **ret, const char *path, struct err *err)
{
	FILE *file = file_open_stream(path, err);

	if (!file)
		return err ? err->code : -EINVAL;
	*ret = PEM_read_PrivateKey(file, NULL, no_pass_phrase, NULL);
	(void)fclose(file);
	ERR_clear_error();
	return *ret ? 0
		    : err_set(err, -EINVAL, "%s: expected an unencrypted private key in PEM", path);
}

static bool is_usable(EVP_PKEY *key)
{
	const int bits = EVP_PKEY_get_bits(key);

	return token_signature_header(key) &&
	       (!EVP_PKEY_is_a(key, "RSA") ||
		(bits >= KEY_BOUNDS_RSA_MIN && bits <= KEY_BOUNDS_RSA_MAX));
}

int identity_key_load(struct jws_key *ret, const struct config_conductor *config, struct err *err)
{
	_cleanup_(free_key) EVP_PKEY *key = NULL;
	int rc = read_file(&key, config->private_key, err);

	if (rc == 0 && !is_usable(key))
		rc = err_set(err, -EINVAL,
			     "%s: expected a key of RSA of %d to %d bits, P-256 or P-384",
			     config->private_key, KEY_BOUNDS_RSA_MIN, KEY_BOUNDS_RSA_MAX);
	if (rc < 0)
		return err_wrap(err, "private-key");
	ret->key = key;
	key = NULL;
	return jws_key_set_kid(ret) < 0 ? err_set(err, -ENOMEM, "private-key: out of memory") : 0;
}
