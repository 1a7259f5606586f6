/* device_certificate.h - client certificates that routers show, judged apart from TLS: that has
 * proved that the router holds the key; whose it is, is judged here.
 */
#pragma once

#include <openssl/x509.h>
#include <stdint.h>

#include "core/err.h"
#include "core/span.h"

/* The makers of devices. Zeroed = none is configured. */
struct device_ca {
	STACK_OF(X509) * certificates; /* owned */
	STACK_OF(X509_CRL) * crls;     /* owned; NULL = none are configured */
};

/* PEM files, all that are in them; crl_path may be NULL. Errors: the file's own; -EINVAL. */
int device_ca_load(struct device_ca *ret, const char *path, const char *crl_path, struct err *err);
void device_ca_release(struct device_ca *ca);

/* Is it a device-ID certificate of that device? chain is DER, the leaf first: it chains to ca, is
 * valid at now_s, no certificate of the chain is revoked (and where CRLs are configured, each CA of
 * it has one), is for clientAuth, and its subject has one serialNumber, which is
 * exactly the asset-id. -EKEYREJECTED, -EBADMSG, -ENOMEM. */
int device_certificate_check(const struct device_ca *ca, const struct span *chain, size_t n,
			     const char *asset_id, uint64_t now_s, struct err *err);

/* SHA-256 of a certificate's SubjectPublicKeyInfo: what a router is pinned by. -EBADMSG. */
int device_certificate_key_digest(struct span der, uint8_t ret[32], struct err *err);
