/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_list.h - the certificates of a PEM file of our own, in whatever order they are in it.
 *
 * (certificate_pem.h has them as they go over the wire, for files that know wolfSSL: its headers
 * and libcrypto's X509 exclude each other.)
 */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"

/* All certificates of a PEM file, whatever else is in it; *ret is the caller's. -EINVAL: there is
 * none, or one is malformed; -ENOMEM. err is not wrapped: it does not name the file. */
int certificate_list_read(STACK_OF(X509) * *ret, struct span pem, struct err *err);

/* Puts the first certificate of this key to the front: it is the leaf. Returns whether there is
 * one; if not, the order is as it was. */
bool certificate_list_put_first(STACK_OF(X509) * certificates, EVP_PKEY *key);

/* PEM, zero-terminated, freed by the caller. NULL = out of memory. */
char *certificate_list_write(const STACK_OF(X509) * certificates);
