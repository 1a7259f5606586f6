/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pki.h - certificates for tests: as good or as bad as a test wants them.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "base/span.h"

struct pki_subject {
	const char *common_name;
	const char *serial_numbers[3]; /* in the subject; NULL = no more */
	const char *extended_usage;    /* as openssl's configuration has it; NULL = none */
	bool ca;
	long expires_s; /* from now; 0 = in a day */
};

/* A new RSA key; aborts the test where there is none. */
EVP_PKEY *pki_key(unsigned bits);

/* The same on a curve: "P-256". */
EVP_PKEY *pki_curve_key(const char *curve);

/* A public RSA key whose private half nobody has: of any size, and of any exponent, in hex. */
EVP_PKEY *pki_public_key(int bits, const char *exponent);

/* For key, signed by issuer's; issuer NULL = by itself. */
X509 *pki_certificate(const struct pki_subject *subject, EVP_PKEY *key, X509 *issuer,
		      EVP_PKEY *issuer_key);
/* With another key usage than for signing. */
X509 *pki_certificate_for(const struct pki_subject *subject, const char *usage, EVP_PKEY *key,
			  X509 *issuer, EVP_PKEY *issuer_key);

/* One extension more, DER; then it is signed again, by its issuer's key. */
void pki_extend(X509 *certificate, int nid, struct span der, EVP_PKEY *issuer_key);

/* For an RSA key, signed by itself, of just so many bytes. */
X509 *pki_certificate_of_size(EVP_PKEY *key, size_t size);

/* DER, which pki_der_free() frees. */
struct span pki_der(X509 *certificate);
void pki_der_free(struct span *der);

/* A CA and a server it has certified. For cmocka: *state is one. */
struct pki {
	EVP_PKEY *ca_key;
	EVP_PKEY *key;
	X509 *ca;
	X509 *certificate;
	struct span ca_der;
	struct span der;
};
int pki_make(void **state);
int pki_end(void **state);
