#include "onboarding/certificate.h"

#include <errno.h>
#include <openssl/x509v3.h>

#include "core/macros.h"

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

static X509_STORE *make_store(const struct certificate_rules *rules)
{
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
	X509_STORE *store = X509_STORE_new();
	X509_VERIFY_PARAM *parameters = store ? X509_STORE_get0_param(store) : NULL;
	bool good = parameters != NULL;

	for (int i = 0; good && i < sk_X509_num(rules->trusted); i++)
		good = X509_STORE_add_cert(store, sk_X509_value(rules->trusted, i)) == 1;
	good = good && (!rules->crl || X509_STORE_add_crl(store, rules->crl) == 1);
	if (!good) {
		X509_STORE_free(store);
		return NULL;
	}
	if (rules->crl)
		flags |= X509_V_FLAG_CRL_CHECK;
	if (rules->ignore_dates)
		flags |= X509_V_FLAG_NO_CHECK_TIME;
	else
		X509_VERIFY_PARAM_set_time(parameters, (time_t)rules->now_s);
	X509_VERIFY_PARAM_set_auth_level(parameters, AUTH_LEVEL);
	(void)X509_VERIFY_PARAM_set_flags(parameters, flags);
	return store;
}

static int verify(const struct certificate_rules *rules, X509 *leaf, STACK_OF(X509) * intermediates,
		  struct err *err)
{
	_cleanup_(free_store) X509_STORE *store = make_store(rules);
	_cleanup_(free_verification) X509_STORE_CTX *verification = X509_STORE_CTX_new();

	if (!store || !verification ||
	    X509_STORE_CTX_init(verification, store, leaf, intermediates) != 1 ||
	    X509_STORE_CTX_set_purpose(verification, rules->purpose) != 1)
		return err_set(err, -ENOMEM, "%s: out of memory", rules->what);
	if (X509_verify_cert(verification) != 1)
		return err_set(
			err, -EKEYREJECTED, "%s: %s", rules->what,
			X509_verify_cert_error_string(X509_STORE_CTX_get_error(verification)));
	return 0;
}

int certificate_verify(const struct certificate_rules *rules, const struct span *chain, size_t n,
		       struct err *err)
{
	_cleanup_(free_certificate) X509 *leaf = n > 0 ? certificate_read(chain[0]) : NULL;
	_cleanup_(free_certificates) STACK_OF(X509) *intermediates = sk_X509_new_null();

	if (!intermediates)
		return err_set(err, -ENOMEM, "%s: out of memory", rules->what);
	if (!leaf || n > CERTIFICATE_CHAIN_MAX || !read_intermediates(intermediates, chain, n))
		return err_set(err, -EBADMSG, "%s: malformed, or more than %d in its chain",
			       rules->what, CERTIFICATE_CHAIN_MAX);
	return verify(rules, leaf, intermediates, err);
}
