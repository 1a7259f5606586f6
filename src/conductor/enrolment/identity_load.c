/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity_load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "conductor/enrolment/identity_files.h"
#include "conductor/enrolment/identity_key.h"
#include "conductor/enrolment/identity_tls.h"
#include "onboarding/certificate_list.h"
#include "onboarding/token_signature.h"

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

/* Is it a kind of key that signs tokens and TLS? */
static bool is_usable(EVP_PKEY *key)
{
	return key && token_signature_header(key);
}

/* Would a router accept this certificate? Routers ignore its dates, but a conductor that makes
 * tokens must not. Where others are in its file, they may lead to the CA: the rehearsal
 * (identity_tls.h) finds out. */
static int check_certificate(const struct identity_files *files,
			     const struct config_conductor *config, struct err *err)
{
	X509 *certificate = sk_X509_value(files->certificates, 0);

	if (!is_usable(X509_get0_pubkey(certificate)))
		return err_set(err, -EINVAL, "certificate %s: its key is not RSA, P-256 or P-384",
			       config->certificate);
	if (!files->leads && sk_X509_num(files->certificates) == 1 &&
	    !is_signed_by(certificate, files->ca))
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

/* The leaf is the certificate of the key. Without the key it is taken for the first one. */
static int find_leaf(struct identity_files *files, const struct jws_key *key,
		     const struct config_conductor *config, struct err *err)
{
	if (!key->key || certificate_list_put_first(files->certificates, key->key))
		return 0;
	return err_set(err, -EINVAL, "private-key %s: it is not the key of the certificate %s",
		       config->private_key, config->certificate);
}

static int fill(struct conductor_identity *ret, const struct identity_files *files, struct err *err)
{
	X509 *certificate = sk_X509_value(files->certificates, 0);
	int rc = to_der(certificate, &ret->certificate, &ret->certificate_size, err);

	if (rc == 0)
		rc = to_der(files->ca, &ret->ca_certificate, &ret->ca_certificate_size, err);
	if (rc < 0)
		return rc;
	ret->expires_s = end_of(certificate);
	ret->chain = certificate_list_write(files->chain);
	return ret->chain ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* What is wrong with the certificate is told before that the key cannot be read. */
static int load(struct conductor_identity *ret, const struct config_conductor *config,
		struct err *err)
{
	_cleanup_(identity_files_release) struct identity_files files = {0};
	struct err key_err = {0};
	int key_rc;
	int rc = identity_files_read(&files, config, err);

	if (rc < 0)
		return rc;
	key_rc = identity_key_load(&ret->key, config, &key_err);
	rc = find_leaf(&files, &ret->key, config, err);
	if (rc == 0)
		rc = identity_files_choose(&files, err);
	if (rc == 0)
		rc = check_certificate(&files, config, err);
	if (rc == 0 && key_rc < 0)
		rc = err_set(err, key_rc, "%s", key_err.text);
	if (rc == 0)
		rc = fill(ret, &files, err);
	return rc == 0 ? identity_tls_rehearse(ret, config, err) : rc;
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
