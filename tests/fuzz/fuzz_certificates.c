/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Certificates and chains, of a router or of a conductor, as they come out of a real handshake:
 *they are shown by OpenSSL, which holds the leaf's key and proves it, and whatever the channel
 *gives for them is what was shown; then they are judged.
 *
 *	byte 0     1 = a conductor shows them to our router, 0 = a router to our conductor; 2 = CRLs
 *	byte 1     how many certificates; the rest are CRLs
 *	each       two bytes of size, DER
 */
#include "fuzz.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/macros.h"
#include "conductor/enrolment/device_certificate.h"
#include "onboarding/certificate.h"
#include "onboarding/conductor_certificate.h"
#include "onboarding/key_signer.h"
#include "onboarding/tls_channel.h"

#define NOW_S       1800000000u
#define SHOWN_MAX   16
#define CRLS_MAX    4
#define IS_SERVER   1
#define HAS_CRLS    2
#define ROUNDS_MAX  20
#define CHUNK_SIZE  16384
#define ALPN_LENGTH (sizeof(TLS_ALPN) - 1)

/* Of the leaves that the corpus has. It protects nothing. */
static const char leaf_key_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBlfVCOPke3AK4uXh\n"
	"UNX21mMVevCBBWJn/2A8luc8Oe6hRANCAASNbYwxsD5hqRRCK2jMfl2OxV1eq4Ac\n"
	"Uz7m0EDzw0kjsOEzqsdmRxufarhiax6Ob3/8DcDKj2EOoON18J86PbFx\n"
	"-----END PRIVATE KEY-----\n";

/* Who has certified the good ones. */
static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
			     "MIIBITCByKADAgECAgEDMAoGCCqGSM49BAMCMBAxDjAMBgNVBAMMBW1ha2VyMB4X\n"
			     "DTIwMDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowEDEOMAwGA1UEAwwFbWFrZXIw\n"
			     "WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT3uHZhQwyCxzYNpJ5ztn2UT6kegUfq\n"
			     "4dSOx9CU8+gsmnLrDes8M7lDqxhGcwerj1qOFRj3b/LcYJOPh4niReQVoxMwETAP\n"
			     "BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCx23ujiqWgNKSC+BpI\n"
			     "zw1wXMUxtA8SZYEW2pM4wcgDEwIgYC+jtn6iFkFDcv67xcRM9NOKI2fQDO7yWzFw\n"
			     "xMWXiQc=\n"
			     "-----END CERTIFICATE-----\n";

static EVP_PKEY *leaf_key;
static X509 *ca;
static struct span ca_der;
static EVP_PKEY *own_key;
static struct tls_signer own_signer;
static struct tls_context *server;
static struct tls_context *client;

/* What an input shows. */
struct shown {
	unsigned flags;
	struct span certificates[SHOWN_MAX];
	size_t n;
	struct span crls[CRLS_MAX];
	size_t n_crls;
};

static void make_server(void)
{
	X509 *own = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	struct tls_identity identity = {.signer = &own_signer};
	uint8_t *public_key = NULL;
	char *pem;

	own_key = EVP_RSA_gen(2048);
	HOLDS(own && own_key && bio);
	(void)X509_set_version(own, X509_VERSION_3);
	(void)X509_gmtime_adj(X509_getm_notBefore(own), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(own), 86400);
	(void)X509_set_pubkey(own, own_key);
	HOLDS(X509_sign(own, own_key, EVP_sha256()) > 0 && PEM_write_bio_X509(bio, own) == 1);
	identity.chain.size = (size_t)BIO_get_mem_data(bio, &pem);
	identity.chain.bytes = (const uint8_t *)pem;
	HOLDS(key_signer_public(own_key, &public_key, &identity.public_key.size) == 0);
	identity.public_key.bytes = public_key;
	own_signer = key_signer(own_key);
	HOLDS(tls_context_new_server(&server, &identity, NULL) == 0);
	OPENSSL_free(public_key);
	BIO_free(bio);
	X509_free(own);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	BIO *key = BIO_new_mem_buf(leaf_key_pem, -1);
	BIO *certificate = BIO_new_mem_buf(ca_pem, -1);
	unsigned char *der = NULL;

	(void)argc;
	(void)argv;
	leaf_key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	ca = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
	HOLDS(leaf_key && ca);
	ca_der.size = (size_t)i2d_X509(ca, &der);
	ca_der.bytes = der;
	BIO_free(key);
	BIO_free(certificate);
	make_server();
	HOLDS(tls_context_new_client(&client, NULL, NULL) == 0);
	return 0;
}

static bool take(struct span *rest, struct span *ret)
{
	size_t size;

	if (rest->size < 2)
		return false;
	size = (size_t)rest->bytes[0] << 8 | rest->bytes[1];
	if (size > rest->size - 2)
		return false;
	*ret = span_of(rest->bytes + 2, size);
	*rest = span_of(rest->bytes + 2 + size, rest->size - 2 - size);
	return true;
}

static bool read_input(struct shown *ret, struct span rest)
{
	size_t n;

	if (rest.size < 2)
		return false;
	ret->flags = rest.bytes[0];
	n = rest.bytes[1];
	rest = span_of(rest.bytes + 2, rest.size - 2);
	while (ret->n < n && ret->n < SHOWN_MAX && take(&rest, &ret->certificates[ret->n]))
		ret->n++;
	while (ret->n_crls < CRLS_MAX && take(&rest, &ret->crls[ret->n_crls]))
		ret->n_crls++;
	return ret->n > 0;
}

/* Judging. */

static void judge(const struct shown *shown, const struct span *chain, size_t n)
{
	struct device_ca devices = {.certificates = sk_X509_new_null()};
	uint8_t digest[32];
	struct err err = {0};

	(void)X509_up_ref(ca);
	(void)sk_X509_push(devices.certificates, ca);
	if (shown->flags & HAS_CRLS)
		devices.crls = sk_X509_CRL_new_null();
	for (size_t i = 0; devices.crls && i < shown->n_crls; i++) {
		const uint8_t *at = shown->crls[i].bytes;
		X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)shown->crls[i].size);

		if (crl)
			(void)sk_X509_CRL_push(devices.crls, crl);
	}
	if (device_certificate_check(&devices, chain, n, "A0", NOW_S, &err) == 0)
		HOLDS(device_certificate_key_digest(chain[0], digest, &err) == 0);
	else
		HOLDS(err.code < 0 && err.text[0]);
	(void)conductor_certificate_check(ca_der, chain, n, &err);
	device_ca_release(&devices);
}

/* The other end. */

static int take_any(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_size,
		       const unsigned char *offered, unsigned offered_size, void *owner)
{
	(void)ssl;
	(void)offered;
	(void)offered_size;
	(void)owner;
	*ret = (const unsigned char *)TLS_ALPN;
	*ret_size = ALPN_LENGTH;
	return SSL_TLSEXT_ERR_OK;
}

/* NULL = OpenSSL does not show that. */
static SSL_CTX *make_shower(const struct shown *shown)
{
	bool is_server = shown->flags & IS_SERVER;
	SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	bool good = context != NULL;

	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, take_any);
	SSL_CTX_set_alpn_select_cb(context, choose_alpn, NULL);
	(void)SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
	for (size_t i = 0; good && i < shown->n; i++) {
		X509 *certificate = certificate_read(shown->certificates[i]);

		if (i == 0)
			good = certificate && SSL_CTX_use_certificate(context, certificate) == 1 &&
			       SSL_CTX_use_PrivateKey(context, leaf_key) == 1;
		else
			good = certificate && SSL_CTX_add1_chain_cert(context, certificate) == 1;
		X509_free(certificate);
	}
	if (good)
		return context;
	SSL_CTX_free(context);
	return NULL;
}

static void carry(SSL *ssl, struct tls_channel *channel)
{
	struct span pending = tls_channel_pending(channel);
	uint8_t bytes[CHUNK_SIZE];
	int n;

	if (pending.size > 0)
		(void)BIO_write(SSL_get_rbio(ssl), pending.bytes, (int)pending.size);
	tls_channel_sent(channel, pending.size);
	while ((n = BIO_read(SSL_get_wbio(ssl), bytes, sizeof(bytes))) > 0)
		if (tls_channel_receive(channel, span_of(bytes, (size_t)n)) < 0)
			return;
}

/* What OpenSSL sends for it: it writes again what it has read. */
static bool is_what_was_shown(struct span came, struct span shown)
{
	X509 *certificate = certificate_read(shown);
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	bool same =
		size >= 0 && came.size == (size_t)size && memcmp(came.bytes, der, came.size) == 0;

	OPENSSL_free(der);
	X509_free(certificate);
	return same;
}

static void shake_hands(SSL *ssl, struct tls_channel *channel, const struct shown *shown)
{
	struct span chain[TLS_CHAIN_MAX];
	struct err err = {0};
	int rc = -EAGAIN;
	size_t n;

	for (unsigned i = 0; i < ROUNDS_MAX && rc == -EAGAIN; i++) {
		(void)SSL_do_handshake(ssl);
		carry(ssl, channel);
		rc = tls_channel_advance(channel, &err);
		carry(ssl, channel);
	}
	HOLDS(rc == 0 || rc == -EAGAIN || (rc == -EPROTO && err.text[0]));
	n = tls_channel_peer_chain(channel, chain);
	if (rc < 0)
		return;
	HOLDS(n == shown->n); /* whole, or not at all */
	for (size_t i = 0; i < n; i++)
		HOLDS(is_what_was_shown(chain[i], shown->certificates[i]));
	judge(shown, chain, n);
}

static void show(const struct shown *shown)
{
	SSL_CTX *context = make_shower(shown);
	SSL *ssl = context ? SSL_new(context) : NULL;
	struct tls_channel *channel = NULL;
	char alpn[1 + ALPN_LENGTH + 1] = {(char)ALPN_LENGTH};

	if (ssl) {
		memcpy(alpn + 1, TLS_ALPN, ALPN_LENGTH);
		(void)SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, 1 + ALPN_LENGTH);
		SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		if (shown->flags & IS_SERVER)
			SSL_set_accept_state(ssl);
		else
			SSL_set_connect_state(ssl);
		HOLDS(tls_channel_open(&channel, shown->flags & IS_SERVER ? client : server,
				       NULL) == 0);
		shake_hands(ssl, channel, shown);
	}
	tls_channel_free(channel);
	SSL_free(ssl);
	SSL_CTX_free(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct shown shown = {0};

	if (!read_input(&shown, span_of(bytes, size)))
		return 0;
	judge(&shown, shown.certificates, shown.n); /* what OpenSSL does not show, too */
	show(&shown);
	return 0;
}
