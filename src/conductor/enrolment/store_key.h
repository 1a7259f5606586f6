/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store_key.h - a private key that is no file: what a URI names, as
 * "pkcs11:token=steward;object=key".
 *
 * libcrypto opens it (OSSL_STORE). For pkcs11: it needs its provider of that name, which Debian 13
 * has (pkcs11-provider), or else its engine of that name, which Debian 12 has
 * (libengine-pkcs11-openssl). The key stays where it is, and signs there.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/err.h"

/* Has it a scheme? All else is a file's path. */
bool store_key_is_uri(const char *place);

/* pin: NULL = none. Nobody is asked on a terminal. -EINVAL: it is not opened, or has a PIN in it:
 * then the message does not repeat it. */
int store_key_load(EVP_PKEY **ret, const char *uri, const char *pin, struct err *err);
