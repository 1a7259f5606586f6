/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the conductor's end of a TLS 1.3 handshake costs before anything of ours is done in it, for
 * tests/bench/handshake: over memory, with the certificate, groups and extensions of SCO.
 *
 *	tls_floor none|certificate N
 *
 * Makes N of each in turns and prints the mean CPU milliseconds of one: "signature_ms MS", an
 * RSA-2048 signature of libcrypto; "tls_ms MS", our end by tls_channel; "libssl_ms MS", the same by
 * OpenSSL's own TLS. certificate: the router shows one of RSA-2048.
 */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "onboarding/key_signer.h"
#include "onboarding/tls_channel.h"
#include "pki.h"

struct side {
	EVP_PKEY *key;
	X509 *certificate;
	uint8_t *public_key;
	struct tls_signer signer;
	struct tls_identity identity;
};

static struct {
	struct side server;
	struct side client;
	struct tls_context *server_context;
	struct tls_context *client_context;
	SSL_CTX *libssl;
} floor_of;

static void die(const char *why)
{
	(void)fprintf(stderr, "%s\n", why);
	exit(1);
}

static double cpu_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void make_side(struct side *side, X509 *issuer, EVP_PKEY *issuer_key)
{
	static const struct pki_subject subject = {.common_name = "one"};
	BIO *pem = BIO_new(BIO_s_mem());
	size_t size;
	char *text;

	side->key = pki_key(2048);
	side->certificate = pki_certificate(&subject, side->key, issuer, issuer_key);
	(void)PEM_write_bio_X509(pem, side->certificate);
	if (key_signer_public(side->key, &side->public_key, &size) < 0)
		die("no public key");
	side->signer = key_signer(side->key);
	side->identity.signer = &side->signer;
	side->identity.public_key = span_of(side->public_key, size);
	size = (size_t)BIO_get_mem_data(pem, &text);
	side->identity.chain = span_of(strndup(text, size), size);
	BIO_free(pem);
}

/* tls_channel's end, and its peer's. */

static void give(struct tls_channel *from, struct tls_channel *to)
{
	struct span bytes = tls_channel_pending(from);

	if (bytes.size > 0 && tls_channel_receive(to, bytes) < 0)
		die("too many bytes");
	tls_channel_sent(from, bytes.size);
}

static bool go_on(struct tls_channel *c)
{
	struct err err = {0};
	int rc = tls_channel_advance(c, &err);

	if (rc < 0 && rc != -EAGAIN)
		die(err.text);
	return rc == 0;
}

static struct tls_channel *open_channel(struct tls_context *context)
{
	struct tls_channel *c;
	struct err err;

	if (tls_channel_open(&c, context, &err) < 0)
		die(err.text);
	return c;
}

/* CPU of the server's end alone. */
static double with_tls_channel(void)
{
	struct tls_channel *client = open_channel(floor_of.client_context);
	uint8_t exporter[TLS_EXPORTER_SIZE];
	struct tls_channel *server;
	double spent = -cpu_ms();
	bool done = false;

	server = open_channel(floor_of.server_context);
	while (!done) {
		spent += cpu_ms();
		(void)go_on(client);
		spent -= cpu_ms();
		give(client, server);
		done = go_on(server);
		give(server, client);
	}
	if (tls_channel_export(server, exporter, NULL) < 0)
		die("no exporter");
	tls_channel_free(server);
	spent += cpu_ms();
	tls_channel_free(client);
	return spent;
}

/* The same by OpenSSL. */

static int take_any(int verified, X509_STORE_CTX *store)
{
	(void)verified;
	(void)store;
	return 1;
}

static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_size,
		       const unsigned char *offered, unsigned int size, void *owner)
{
	(void)ssl;
	(void)owner;
	if (size < 1 || size < 1u + offered[0])
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = offered + 1;
	*ret_size = offered[0];
	return SSL_TLSEXT_ERR_OK;
}

static void make_libssl(void)
{
	SSL_CTX *libssl = SSL_CTX_new(TLS_server_method());

	floor_of.libssl = libssl;
	if (!libssl || SSL_CTX_set_min_proto_version(libssl, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_use_certificate(libssl, floor_of.server.certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(libssl, floor_of.server.key) != 1 ||
	    SSL_CTX_set1_groups_list(libssl, "P-256:X25519") != 1)
		die("libssl cannot be configured");
	(void)SSL_CTX_set_num_tickets(libssl, 0);
	(void)SSL_CTX_set_session_cache_mode(libssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(libssl, SSL_VERIFY_PEER, take_any);
	SSL_CTX_set_alpn_select_cb(libssl, choose_alpn, NULL);
}

static void give_libssl(struct tls_channel *from, SSL *to)
{
	struct span bytes = tls_channel_pending(from);

	if (bytes.size > 0)
		(void)BIO_write(SSL_get_rbio(to), bytes.bytes, (int)bytes.size);
	tls_channel_sent(from, bytes.size);
}

static void take_libssl(SSL *from, struct tls_channel *to)
{
	uint8_t bytes[16384];
	int n = BIO_read(SSL_get_wbio(from), bytes, sizeof(bytes));

	if (n > 0 && tls_channel_receive(to, span_of(bytes, (size_t)n)) < 0)
		die("too many bytes");
}

static double with_libssl(void)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	struct tls_channel *client = open_channel(floor_of.client_context);
	uint8_t exporter[TLS_EXPORTER_SIZE];
	double spent = -cpu_ms();
	bool done = false;
	SSL *server = SSL_new(floor_of.libssl);

	SSL_set_bio(server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	while (!done) {
		spent += cpu_ms();
		(void)go_on(client);
		spent -= cpu_ms();
		give_libssl(client, server);
		done = SSL_accept(server) == 1;
		take_libssl(server, client);
	}
	if (SSL_export_keying_material(server, exporter, sizeof(exporter), label, sizeof(label) - 1,
				       NULL, 0, 1) != 1)
		die("no exporter");
	SSL_free(server);
	spent += cpu_ms();
	tls_channel_free(client);
	return spent;
}

static double with_signature(void)
{
	static const uint8_t digest[32] = {1};
	uint8_t signature[512];
	size_t size = sizeof(signature);
	double spent = -cpu_ms();

	if (floor_of.server.signer.sign(floor_of.server.key, span_of(digest, sizeof(digest)),
					signature, &size) < 0)
		die("no signature");
	return spent + cpu_ms();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*make)(void);
	} rows[] = {
		{"signature_ms", with_signature},
		{"tls_ms", with_tls_channel},
		{"libssl_ms", with_libssl},
	};
	double spent[N_ELEMENTS(rows)] = {0};
	unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	bool shows = argc == 3 && strcmp(argv[1], "certificate") == 0;
	struct err err;

	if (n == 0 || (!shows && strcmp(argv[1], "none") != 0))
		die("usage: tls_floor none|certificate N");
	make_side(&floor_of.server, NULL, NULL);
	make_side(&floor_of.client, NULL, NULL);
	if (tls_context_new_server(&floor_of.server_context, &floor_of.server.identity, &err) < 0 ||
	    tls_context_new_client(&floor_of.client_context,
				   shows ? &floor_of.client.identity : NULL, &err) < 0)
		die(err.text);
	make_libssl();
	for (unsigned i = 0; i < n; i++)
		for (size_t row = 0; row < N_ELEMENTS(rows); row++)
			spent[row] += rows[row].make();
	for (size_t row = 0; row < N_ELEMENTS(rows); row++)
		(void)printf("%s %.4f ", rows[row].name, spent[row] / n);
	(void)puts("");
	return 0;
}
