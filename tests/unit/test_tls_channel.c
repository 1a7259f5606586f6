/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two channels against each other in memory: what TLS must promise the handshake above it. That
 * OpenSSL agrees is tests/e2e/test_tls.py.
 */
#include "pki.h"
#include "support.h"

#include <openssl/pem.h>

#include "base/macros.h"
#include "onboarding/key_signer.h"
#include "onboarding/tls_channel.h"

struct side {
	char *chain; /* PEM */
	uint8_t *public_key;
	size_t public_key_size;
	struct tls_signer signer;
	struct tls_identity identity;
};

struct world {
	struct pki *pki;
	EVP_PKEY *client_key;
	X509 *client_certificate;
	struct side server;
	struct side client;
	struct tls_context *server_context;
	struct tls_context *client_context;    /* with a certificate */
	struct tls_context *anonymous_context; /* without */
};

static char *pem_of(X509 *leaf, X509 *issuer)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long size;
	char *text;

	assert_int_equal(PEM_write_bio_X509(bio, leaf), 1);
	if (issuer)
		assert_int_equal(PEM_write_bio_X509(bio, issuer), 1);
	size = BIO_get_mem_data(bio, &bytes);
	text = strndup(bytes, (size_t)size);
	BIO_free(bio);
	return text;
}

static void make_side(struct side *side, X509 *leaf, X509 *issuer, EVP_PKEY *key)
{
	side->chain = pem_of(leaf, issuer);
	assert_int_equal(key_signer_public(key, &side->public_key, &side->public_key_size), 0);
	side->signer = key_signer(key);
	side->identity = (struct tls_identity){
		.chain = span_of_string(side->chain),
		.public_key = span_of(side->public_key, side->public_key_size),
		.signer = &side->signer,
	};
}

static void end_side(struct side *side)
{
	free(side->chain);
	OPENSSL_free(side->public_key);
}

static int make(void **state)
{
	static const struct pki_subject self = {.common_name = "router", .expires_s = -60};
	struct world *w = calloc(1, sizeof(*w));
	struct err err = {0};

	assert_non_null(w);
	(void)pki_make((void **)&w->pki);
	w->client_key = pki_key(2048);
	w->client_certificate = pki_certificate(&self, w->client_key, NULL, NULL);
	make_side(&w->server, w->pki->certificate, w->pki->ca, w->pki->key);
	make_side(&w->client, w->client_certificate, NULL, w->client_key);
	if (tls_context_new_server(&w->server_context, &w->server.identity, &err) < 0 ||
	    tls_context_new_client(&w->client_context, &w->client.identity, &err) < 0 ||
	    tls_context_new_client(&w->anonymous_context, NULL, &err) < 0)
		fail_msg("%s", err.text);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;
	void *pki = w->pki;

	tls_context_free(w->server_context);
	tls_context_free(w->client_context);
	tls_context_free(w->anonymous_context);
	end_side(&w->server);
	end_side(&w->client);
	X509_free(w->client_certificate);
	EVP_PKEY_free(w->client_key);
	(void)pki_end(&pki);
	free(w);
	return 0;
}

/* Up to max bytes of what waits. */
static void carry(struct tls_channel *from, struct tls_channel *to, size_t max)
{
	struct span bytes = tls_channel_pending(from);

	bytes.size = MIN(bytes.size, max);
	assert_int_equal(tls_channel_receive(to, bytes), 0);
	tls_channel_sent(from, bytes.size);
}

struct pair {
	struct tls_channel *server;
	struct tls_channel *client;
};

static struct pair open_pair(struct tls_context *server, struct tls_context *client)
{
	struct pair pair;

	assert_int_equal(tls_channel_open(&pair.server, server, NULL), 0);
	assert_int_equal(tls_channel_open(&pair.client, client, NULL), 0);
	return pair;
}

static void free_pair(struct pair *pair)
{
	tls_channel_free(pair->server);
	tls_channel_free(pair->client);
}

/* In steps of so many bytes. */
static void establish(struct pair *pair, size_t step)
{
	struct err err = {0};
	int client = -EAGAIN;
	int server = -EAGAIN;

	for (unsigned i = 0; i < 20000 && (client < 0 || server < 0); i++) {
		client = tls_channel_advance(pair->client, &err);
		carry(pair->client, pair->server, step);
		server = tls_channel_advance(pair->server, &err);
		carry(pair->server, pair->client, step);
		if ((client < 0 && client != -EAGAIN) || (server < 0 && server != -EAGAIN))
			fail_msg("%s", err.text);
	}
	assert_int_equal(client, 0);
	assert_int_equal(server, 0);
}

static void test_established(void **state)
{
	struct world *w = *state;
	struct tls_context *const clients[] = {w->anonymous_context, w->client_context};
	static const size_t steps[] = {SIZE_MAX, 1, 100};

	for (unsigned i = 0; i < N_ELEMENTS(clients) * N_ELEMENTS(steps); i++) {
		struct pair pair = open_pair(w->server_context, clients[i % 2]);
		struct span client_der = pki_der(w->client_certificate);
		struct span chain[TLS_CHAIN_MAX];
		uint8_t ours[TLS_EXPORTER_SIZE];
		uint8_t theirs[TLS_EXPORTER_SIZE];

		establish(&pair, steps[i / 2]);
		assert_int_equal(tls_channel_export(pair.client, ours, NULL), 0);
		assert_int_equal(tls_channel_export(pair.server, theirs, NULL), 0);
		assert_memory_equal(ours, theirs, sizeof(ours));
		/* Byte for byte what was configured: the token is compared with it. */
		assert_int_equal(tls_channel_peer_chain(pair.client, chain), 2);
		assert_int_equal(chain[0].size, w->pki->der.size);
		assert_memory_equal(chain[0].bytes, w->pki->der.bytes, chain[0].size);
		assert_memory_equal(chain[1].bytes, w->pki->ca_der.bytes, chain[1].size);
		assert_int_equal(tls_channel_peer_chain(pair.server, chain), i % 2);
		if (i % 2 == 1) {
			assert_int_equal(chain[0].size, client_der.size);
			assert_memory_equal(chain[0].bytes, client_der.bytes, chain[0].size);
		}
		pki_der_free(&client_der);
		free_pair(&pair);
	}
}

/* Both sides with a key on this curve; the client's signature is verified by libcrypto, for
 * wolfSSL. */
static void shake_hands_on(const char *curve)
{
	static const struct pki_subject subject = {.common_name = "on a curve"};
	EVP_PKEY *key = pki_curve_key(curve);
	X509 *certificate = pki_certificate(&subject, key, NULL, NULL);
	struct span der = pki_der(certificate);
	struct tls_context *server = NULL;
	struct tls_context *client = NULL;
	struct span chain[TLS_CHAIN_MAX];
	struct side side;
	struct pair pair;
	struct err err = {0};

	make_side(&side, certificate, NULL, key);
	if (tls_context_new_server(&server, &side.identity, &err) < 0 ||
	    tls_context_new_client(&client, &side.identity, &err) < 0)
		fail_msg("%s: %s", curve, err.text);
	pair = open_pair(server, client);
	establish(&pair, SIZE_MAX);
	assert_int_equal(tls_channel_peer_chain(pair.client, chain), 1);
	assert_memory_equal(chain[0].bytes, der.bytes, der.size);
	assert_int_equal(tls_channel_peer_chain(pair.server, chain), 1);
	assert_memory_equal(chain[0].bytes, der.bytes, der.size);
	free_pair(&pair);
	tls_context_free(server);
	tls_context_free(client);
	end_side(&side);
	pki_der_free(&der);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void test_keys_on_curves(void **state)
{
	(void)state;
	shake_hands_on("P-256");
	shake_hands_on("P-384");
}

static void test_every_channel_has_its_own_binding(void **state)
{
	struct world *w = *state;
	uint8_t bindings[4][TLS_EXPORTER_SIZE];

	for (unsigned i = 0; i < 4; i++) {
		struct pair pair = open_pair(w->server_context, w->anonymous_context);

		establish(&pair, SIZE_MAX);
		assert_int_equal(tls_channel_export(pair.server, bindings[i], NULL), 0);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(bindings[i], bindings[k], TLS_EXPORTER_SIZE);
		free_pair(&pair);
	}
}

static void test_conversation(void **state)
{
	struct world *w = *state;
	struct pair pair = open_pair(w->server_context, w->client_context);
	uint8_t said[20000];
	uint8_t heard[sizeof(said)];
	size_t n = 0;
	size_t got;
	struct err err = {0};

	for (size_t i = 0; i < sizeof(said); i++)
		said[i] = (uint8_t)(i * 7);
	establish(&pair, SIZE_MAX);
	assert_int_equal(tls_channel_read(pair.server, heard, sizeof(heard), &got, &err), -EAGAIN);
	assert_int_equal(tls_channel_write(pair.client, span_of(said, sizeof(said)), &err), 0);
	while (tls_channel_pending(pair.client).size > 0 || n < sizeof(said)) {
		int rc;

		carry(pair.client, pair.server, 1000);
		rc = tls_channel_read(pair.server, heard + n, sizeof(heard) - n, &got, &err);
		if (rc == 0)
			n += got;
		else
			assert_int_equal(rc, -EAGAIN);
	}
	assert_memory_equal(heard, said, sizeof(said));
	tls_channel_shut(pair.server);
	carry(pair.server, pair.client, SIZE_MAX);
	assert_int_equal(tls_channel_read(pair.client, heard, 1, &got, &err), -EPIPE);
	assert_string_equal(err.text, "TLS: the peer has closed");
	free_pair(&pair);
}

static void test_too_much(void **state)
{
	static const uint8_t zeros[TLS_WAITING_MAX + 1];
	struct world *w = *state;
	struct pair pair = open_pair(w->server_context, w->client_context);
	struct err err;

	establish(&pair, SIZE_MAX);
	assert_int_equal(tls_channel_receive(pair.server, span_of(zeros, sizeof(zeros))), -ENOBUFS);
	assert_int_equal(tls_channel_write(pair.server, span_of(zeros, TLS_WAITING_MAX), &err),
			 -ENOBUFS);
	assert_int_equal(tls_channel_pending(pair.server).size, 0);
	free_pair(&pair);
}

/* Whatever is no TLS 1.3 ends in an error and not in a hang. */
static void test_garbage(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18},
		{"SSH-2.0-OpenSSH_9.2\r\n", 21},
		{"\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9},
		{"\x16\x03\x03\xff\xff\x01\x00\x00\x00", 9},
		{"\x15\x03\x03\x00\x02\x02\x28", 7}, /* an alert: handshake failure */
		{"\x17\x03\x03\x00\x01\x00", 6},     /* data before anything else */
	};
	struct world *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct pair pair = open_pair(w->server_context, w->client_context);
		struct err err = {0};

		assert_int_equal(
			tls_channel_receive(pair.server, span_of(rows[i].bytes, rows[i].size)), 0);
		if (tls_channel_advance(pair.server, &err) != -EPROTO)
			fail_msg("row %u", i);
		assert_contains(err.text, "TLS handshake: ");
		free_pair(&pair);
	}
}

/* A bit changed on the way, in any place, and no channel comes of it that both believe in. */
static void test_changed_on_the_way(void **state)
{
	struct world *w = *state;

	for (size_t at = 3; at < 3000; at += 97) {
		struct pair pair = open_pair(w->server_context, w->client_context);
		struct err err = {0};
		int client = -EAGAIN;
		int server = -EAGAIN;
		size_t seen = 0;

		for (unsigned i = 0; i < 10; i++) {
			struct span bytes;
			uint8_t copy[8192];

			client = tls_channel_advance(pair.client, &err);
			carry(pair.client, pair.server, SIZE_MAX);
			server = tls_channel_advance(pair.server, &err);
			bytes = tls_channel_pending(pair.server);
			assert_true(bytes.size < sizeof(copy));
			memcpy(copy, bytes.bytes, bytes.size);
			if (at >= seen && at < seen + bytes.size)
				copy[at - seen] ^= 1;
			assert_int_equal(
				tls_channel_receive(pair.client, span_of(copy, bytes.size)), 0);
			seen += bytes.size;
			tls_channel_sent(pair.server, bytes.size);
		}
		if (at < seen)
			assert_false(client == 0 && server == 0);
		free_pair(&pair);
	}
}

static int refuse_to_sign(void *owner, struct span digest, uint8_t *ret, size_t *size)
{
	(void)owner;
	(void)digest;
	(void)ret;
	(void)size;
	return -EIO;
}

/* In DER, as of a curve, but of another digest. */
static int sign_another(void *owner, struct span digest, uint8_t *ret, size_t *size)
{
	uint8_t other[64];

	memcpy(other, digest.bytes, digest.size);
	other[0] ^= 1;
	return key_signer(owner).sign(owner, span_of(other, digest.size), ret, size);
}

static int sign_nonsense(void *owner, struct span digest, uint8_t *ret, size_t *size)
{
	(void)owner;
	(void)digest;
	memset(ret, 1, 256);
	*size = 256;
	return 0;
}

/* Does the other side of a signer, the client if the server signs, believe in it? */
static bool is_established(struct pair *pair, bool server_signs)
{
	struct err err = {0};
	int client = -EAGAIN;
	int server = -EAGAIN;

	for (unsigned k = 0; k < 10; k++) {
		if (client == -EAGAIN)
			client = tls_channel_advance(pair->client, &err);
		carry(pair->client, pair->server, SIZE_MAX);
		if (server == -EAGAIN)
			server = tls_channel_advance(pair->server, &err);
		carry(pair->server, pair->client, SIZE_MAX);
	}
	return (server_signs ? client : server) == 0;
}

/* Who shows a certificate and cannot sign with its key is nobody, on either side. */
static void test_signers_that_cannot(void **state)
{
	struct world *w = *state;
	static const struct tls_signer signers[] = {{refuse_to_sign, NULL}, {sign_nonsense, NULL}};

	for (unsigned i = 0; i < 4; i++) {
		bool is_server = i < 2;
		struct tls_identity identity = is_server ? w->server.identity : w->client.identity;
		struct tls_context *context = NULL;
		struct pair pair;
		struct err err = {0};

		identity.signer = &signers[i % 2];
		if (is_server)
			assert_int_equal(tls_context_new_server(&context, &identity, &err), 0);
		else
			assert_int_equal(tls_context_new_client(&context, &identity, &err), 0);
		pair = open_pair(is_server ? context : w->server_context,
				 is_server ? w->client_context : context);
		assert_false(is_established(&pair, is_server));
		free_pair(&pair);
		tls_context_free(context);
	}
}

/* The same with keys on a curve. */
static void test_signers_on_curves_that_cannot(void **state)
{
	static const struct pki_subject subject = {.common_name = "on a curve"};
	struct world *w = *state;
	EVP_PKEY *key = pki_curve_key("P-256");
	X509 *certificate = pki_certificate(&subject, key, NULL, NULL);
	const struct tls_signer signers[] = {
		{refuse_to_sign, NULL}, {sign_nonsense, NULL}, {sign_another, key}};
	struct side side;

	make_side(&side, certificate, NULL, key);
	for (unsigned i = 0; i < 2 * N_ELEMENTS(signers); i++) {
		bool is_server = i % 2 == 0;
		struct tls_context *context = NULL;
		struct pair pair;
		struct err err = {0};

		side.identity.signer = &signers[i / 2];
		assert_int_equal(is_server ? tls_context_new_server(&context, &side.identity, &err)
					   : tls_context_new_client(&context, &side.identity, &err),
				 0);
		pair = open_pair(is_server ? context : w->server_context,
				 is_server ? w->client_context : context);
		if (is_established(&pair, is_server))
			fail_msg("row %u", i);
		free_pair(&pair);
		tls_context_free(context);
	}
	end_side(&side);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void test_identities_refused(void **state)
{
	struct world *w = *state;
	struct tls_identity identity = w->server.identity;
	struct tls_context *context = NULL;
	struct err err = {0};

	identity.chain = span_of_string("nothing");
	assert_int_equal(tls_context_new_server(&context, &identity, &err), -EINVAL);
	assert_string_equal(err.text, "TLS: expected a certificate chain in PEM");
	identity = w->server.identity;
	identity.public_key = span_of_string("nothing");
	assert_int_equal(tls_context_new_server(&context, &identity, &err), -EINVAL);
	assert_string_equal(err.text, "TLS: expected a public key in DER: RSA, P-256 or P-384");
	assert_null(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_established),
		cmocka_unit_test(test_keys_on_curves),
		cmocka_unit_test(test_every_channel_has_its_own_binding),
		cmocka_unit_test(test_conversation),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_changed_on_the_way),
		cmocka_unit_test(test_signers_that_cannot),
		cmocka_unit_test(test_signers_on_curves_that_cannot),
		cmocka_unit_test(test_identities_refused),
	};

	return cmocka_run_group_tests(tests, make, end);
}
