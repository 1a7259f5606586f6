/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity_load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "conductor/enrolment/identity_tls.h"
#include "onboarding/certificate_pem.h"

#define CHAIN_SIZE_MAX (256u << 10)

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static int read_certificate(X509 **ret, const char *path, const char *what, struct err *err)
{
	_cleanup_(close_file) FILE *file = file_open_stream(path, err);

	if (!file)
		return err_wrap(err, "%s", what);
	*ret = PEM_read_X509(file, NULL, NULL, NULL);
	ERR_clear_error();
	if (!*ret)
		return err_set(err, -EINVAL, "%s %s: it holds no certificate in PEM", what, path);
	return 0;
}

static int to_der(X509 *certificate, uint8_t **ret, size_t *ret_size, struct err *err)
{
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);

	if (size < 0)
		return err_set(err, -ENOMEM, "out of memory");
	*ret = malloc((size_t)size);
	if (*ret)
		memcpy(*ret, der, (size_t)size);
	*ret_size = (size_t)size;
	OPENSSL_free(der);
	return *ret ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static bool is_signed_by(X509 *certificate, X509 *ca)
{
	bool same_name =
		X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(ca)) == 0;
	EVP_PKEY *key = X509_get0_pubkey(ca);
	bool is = same_name && key && X509_verify(certificate, key) == 1;

	ERR_clear_error();
	return is;
}

/* Do further certificates follow the first one? They may lead to the CA: the rehearsal
 * (identity_tls.h) finds out. */
static bool is_followed_by_others(const char *path)
{
	struct certificate_chain chain = {0};
	char *pem = NULL;
	size_t size;
	bool is = file_read(path, CHAIN_SIZE_MAX, &pem, &size, NULL) == 0 &&
		  certificate_chain_read(&chain, span_of(pem, size)) == 0 && chain.n > 1;

	certificate_chain_release(&chain);
	free(pem);
	return is;
}

/* Would a router accept this certificate? Routers ignore its dates, but a conductor that makes
 * tokens must not. */
static int check_certificate(X509 *certificate, X509 *ca, const struct config_conductor *config,
			     struct err *err)
{
	EVP_PKEY *key = X509_get0_pubkey(certificate);

	if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
		return err_set(err, -EINVAL, "certificate %s: its key is not RSA",
			       config->certificate);
	if (!is_signed_by(certificate, ca) && !is_followed_by_others(config->certificate))
		return err_set(err, -EINVAL, "certificate %s: it is not signed by the CA %s",
			       config->certificate, config->ca_certificate);
	if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
		return err_set(err, -EINVAL, "certificate %s: it is expired", config->certificate);
	if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
		return err_set(err, -EINVAL, "certificate %s: it is not valid yet",
			       config->certificate);
	return 0;
}

static int64_t end_of(X509 *certificate)
{
	struct tm end;

	return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1 ? timegm(&end) : 0;
}

static int load(struct conductor_identity *ret, const struct config_conductor *config,
		struct err *err)
{
	_cleanup_(free_certificate) X509 *certificate = NULL;
	_cleanup_(free_certificate) X509 *ca = NULL;
	int rc = read_certificate(&certificate, config->certificate, "certificate", err);

	if (rc == 0)
		rc = read_certificate(&ca, config->ca_certificate, "ca-certificate", err);
	if (rc == 0)
		rc = check_certificate(certificate, ca, config, err);
	if (rc == 0 && jws_key_load_private(&ret->key, config->private_key, err) < 0)
		rc = err_wrap(err, "private-key");
	if (rc == 0 && EVP_PKEY_eq(ret->key.key, X509_get0_pubkey(certificate)) != 1)
		rc = err_set(err, -EINVAL,
			     "private-key %s: it is not the key of the certificate %s",
			     config->private_key, config->certificate);
	if (rc == 0)
		ret->expires_s = end_of(certificate);
	if (rc == 0)
		rc = to_der(certificate, &ret->certificate, &ret->certificate_size, err);
	if (rc == 0)
		rc = to_der(ca, &ret->ca_certificate, &ret->ca_certificate_size, err);
	if (rc == 0)
		rc = identity_tls_rehearse(ret, config, err);
	return rc;
}

int conductor_identity_load(struct conductor_identity *ret, const struct config_conductor *config,
			    struct err *err)
{
	struct conductor_identity identity = {0};
	int rc = load(&identity, config, err);

	if (rc < 0) {
		conductor_identity_release(&identity);
		return rc;
	}
	*ret = identity;
	return 0;
}
