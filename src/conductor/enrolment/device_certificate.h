/* SPDX-License-Identifier: GPL-3.0-or-later */
/* device_certificate.h - checks the client certificates that routers show. TLS has proved that
 * the router holds the certificate's key; whether the certificate is the right one is checked
 * here.
 */
#pragma once

#include <openssl/x509.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* The CAs that certify devices. Zeroed = none is configured. */
struct device_ca {
	STACK_OF(X509) * certificates; /* owned */
	STACK_OF(X509_CRL) * crls;     /* owned; NULL = none are configured */
};

/* PEM files, all that are in them; crl_path may be NULL. Errors: the file's own; -EINVAL. */
int device_ca_load(struct device_ca *ret, const char *path, const char *crl_path, struct err *err);
void device_ca_release(struct device_ca *ca);

/* Is this the device-ID certificate of the device with that asset-id? chain is DER, the leaf
 * first. It must chain to ca and be valid at now_s; no certificate of the chain may be revoked,
 * and if CRLs are configured, each CA of the chain must have one; if it says what it is for, that
 * must be clientAuth; and its serial number (device_serial.h) must be the asset-id. -EKEYREJECTED,
 * -EBADMSG, -ENOMEM. */
int device_certificate_check(const struct device_ca *ca, const struct span *chain, size_t n,
			     const char *asset_id, uint64_t now_s, struct err *err);

/* SHA-256 of a certificate's SubjectPublicKeyInfo: the pin of a router. -EBADMSG. */
int device_certificate_key_digest(struct span der, uint8_t ret[32], struct err *err);
