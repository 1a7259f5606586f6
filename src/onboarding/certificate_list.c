/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/certificate_list.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/certificate_pem.h"

static void free_bio(BIO **bio)
{
	(void)BIO_free(*bio);
}

static void free_certificates(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}

static bool read_all(STACK_OF(X509) * certificates, BIO *bio)
{
	X509 *certificate;

	ERR_clear_error();
	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (sk_X509_push(certificates, certificate) > 0)
			continue;
		X509_free(certificate);
		return false;
	}
	return certificate_pem_is_at_end();
}

int certificate_list_read(STACK_OF(X509) * *ret, struct span pem, struct err *err)
{
	_cleanup_(free_certificates) STACK_OF(X509) *certificates = sk_X509_new_null();
	_cleanup_(free_bio) BIO *bio = BIO_new_mem_buf(pem.bytes, (int)pem.size);
	bool is_whole;

	if (!certificates || !bio)
		return err_set(err, -ENOMEM, "out of memory");
	is_whole = read_all(certificates, bio);
	if (sk_X509_num(certificates) == 0)
		return err_set(err, -EINVAL, "it holds no certificate in PEM");
	if (!is_whole)
		return err_set(err, -EINVAL, "certificate number %d in it is malformed",
			       sk_X509_num(certificates) + 1);
	*ret = certificates;
	certificates = NULL;
	return 0;
}

bool certificate_list_put_first(STACK_OF(X509) * certificates, EVP_PKEY *key)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *certificate = sk_X509_value(certificates, i);

		if (EVP_PKEY_eq(key, X509_get0_pubkey(certificate)) != 1)
			continue;
		for (int k = i; k > 0; k--)
			(void)sk_X509_set(certificates, k, sk_X509_value(certificates, k - 1));
		(void)sk_X509_set(certificates, 0, certificate);
		ERR_clear_error();
		return true;
	}
	ERR_clear_error();
	return false;
}

char *certificate_list_write(const STACK_OF(X509) * certificates)
{
	_cleanup_(free_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	long size;

	if (!bio)
		return NULL;
	for (int i = 0; i < sk_X509_num(certificates); i++)
		if (PEM_write_bio_X509(bio, sk_X509_value(certificates, i)) != 1)
			return NULL;
	size = BIO_get_mem_data(bio, &bytes);
	return strndup(bytes, (size_t)size);
}
