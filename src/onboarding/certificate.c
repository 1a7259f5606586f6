/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/certificate.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define AUTH_LEVEL 2 /* 112 bits: RSA of 2048, SHA-2 */

static void free_certificate(X509 **certificate)
{
	X509_free(*certificate);
}

static void free_certificates(STACK_OF(X509) * *certificates)
{
	sk_X509_pop_free(*certificates, X509_free);
}

static void free_store(X509_STORE **store)
{
	X509_STORE_free(*store);
}

static void free_verification(X509_STORE_CTX **verification)
{
	X509_STORE_CTX_free(*verification);
}

X509 *certificate_read(struct span der)
{
	const uint8_t *at = der.bytes;
	X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

	if (certificate && at == der.bytes + der.size)
		return certificate;
	X509_free(certificate);
	return NULL;
}

static bool read_intermediates(STACK_OF(X509) * ret, const struct span *chain, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		X509 *certificate = certificate_read(chain[i]);

		if (!certificate || sk_X509_push(ret, certificate) == 0) {
			X509_free(certificate);
			return false;
		}
	}
	return true;
}

static int count_crls(const struct certificate_rules *rules)
{
	return rules->crls ? sk_X509_CRL_num(rules->crls) : 0;
}

static X509_STORE *make_store(const struct certificate_rules *rules)
{
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
	X509_STORE *store = X509_STORE_new();
	X509_VERIFY_PARAM *parameters = store ? X509_STORE_get0_param(store) : NULL;
	bool good = parameters != NULL;

	for (int i = 0; good && i < sk_X509_num(rules->trusted); i++)
		good = X509_STORE_add_cert(store, sk_X509_value(rules->trusted, i)) == 1;
	for (int i = 0; good && i < count_crls(rules); i++)
		good = X509_STORE_add_crl(store, sk_X509_CRL_value(rules->crls, i)) == 1;
	if (!good) {
		X509_STORE_free(store);
		return NULL;
	}
	if (rules->crls)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	if (rules->ignore_dates)
		flags |= X509_V_FLAG_NO_CHECK_TIME;
	else
		X509_VERIFY_PARAM_set_time(parameters, (time_t)rules->now_s);
	X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
	(void)X509_VERIFY_PARAM_set_flags(parameters, flags);
	return store;
}

/* The trusted certificate at the end of the chain needs no CRL of its issuer. But if there is
 * such a CRL, it counts, even if the issuer's key is not known. */
static int judge_error(int verified, X509_STORE_CTX *verification)
{
	int last = sk_X509_num(X509_STORE_CTX_get0_chain(verification)) - 1;

	if (verified || X509_STORE_CTX_get_error_depth(verification) != last)
		return verified;
	switch (X509_STORE_CTX_get_error(verification)) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_CRL_HAS_EXPIRED:
		X509_STORE_CTX_set_error(verification, X509_V_OK);
		return 1;
	default:
		return 0;
	}
}

/* As RFC 2253 writes it; freed by the caller. NULL = out of memory. */
static char *text_of(const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes = NULL;
	char *text = NULL;
	long size;

	if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
		size = BIO_get_mem_data(bio, &bytes);
		text = strndup(bytes, (size_t)size);
	}
	BIO_free(bio);
	return text;
}

static int explain(const struct certificate_rules *rules, X509_STORE_CTX *verification,
		   struct err *err)
{
	int error = X509_STORE_CTX_get_error(verification);
	X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
	char *issuer = certificate ? text_of(X509_get_issuer_name(certificate)) : NULL;
	char *subject = certificate ? text_of(X509_get_subject_name(certificate)) : NULL;
	const char *what = X509_verify_cert_error_string(error);

	if (error == X509_V_ERR_UNABLE_TO_GET_CRL)
		(void)err_set(err, -EKEYREJECTED,
			      "%s: there is no CRL of CA %s, which has certified %s", rules->what,
			      issuer ? issuer : "?", subject ? subject : "?");
	else if (error == X509_V_ERR_CRL_HAS_EXPIRED || error == X509_V_ERR_CRL_NOT_YET_VALID)
		(void)err_set(err, -EKEYREJECTED, "%s: %s: that of CA %s", rules->what, what,
			      issuer ? issuer : "?");
	else if (error == X509_V_ERR_CERT_REVOKED)
		(void)err_set(err, -EKEYREJECTED, "%s: %s: %s by CA %s", rules->what, what,
			      subject ? subject : "?", issuer ? issuer : "?");
	else
		(void)err_set(err, -EKEYREJECTED, "%s: %s", rules->what, what);
	free(issuer);
	free(subject);
	return -EKEYREJECTED;
}

int certificate_find_chain(const struct certificate_rules *rules, X509 *leaf,
			   STACK_OF(X509) * others, STACK_OF(X509) * *ret, struct err *err)
{
	_cleanup_(free_store) X509_STORE *store = make_store(rules);
	_cleanup_(free_verification) X509_STORE_CTX *verification = X509_STORE_CTX_new();

	if (!store || !verification ||
	    X509_STORE_CTX_init(verification, store, leaf, others) != 1 ||
	    X509_STORE_CTX_set_purpose(verification, rules->purpose) != 1)
		return err_set(err, -ENOMEM, "%s: out of memory", rules->what);
	X509_STORE_CTX_set_verify_cb(verification, judge_error);
	if (X509_verify_cert(verification) != 1)
		return explain(rules, verification, err);
	if (ret)
		*ret = X509_STORE_CTX_get1_chain(verification);
	return !ret || *ret ? 0 : err_set(err, -ENOMEM, "%s: out of memory", rules->what);
}

int certificate_verify(const struct certificate_rules *rules, const struct span *chain, size_t n,
		       struct err *err)
{
	_cleanup_(free_certificate) X509 *leaf = NULL;
	_cleanup_(free_certificates) STACK_OF(X509) *intermediates = sk_X509_new_null();
	int rc = peer_chain_check(rules->what, chain, n, err);

	if (rc < 0)
		return rc;
	leaf = certificate_read(chain[0]);
	if (!intermediates)
		return err_set(err, -ENOMEM, "%s: out of memory", rules->what);
	if (!leaf || !read_intermediates(intermediates, chain, n))
		return err_set(err, -EBADMSG, "%s: malformed", rules->what);
	return certificate_find_chain(rules, leaf, intermediates, NULL, err);
}
