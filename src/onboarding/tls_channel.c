/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/tls_channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "onboarding/tls_channel_private.h"
#include "onboarding/transcript.h"

/* wolfSSL calls this for each certificate that a peer shows, the leaf last, or once if it shows
 * none. The first call already has the whole chain, which is kept. Whether it is the right one is
 * decided later: see the header. */
int tls_channel_take_any(int verified, WOLFSSL_X509_STORE_CTX *store)
{
	struct tls_channel *c = store->userCtx;
	struct span certificates[TLS_CHAIN_MAX + 1];
	size_t n = MIN((size_t)store->totalCerts, N_ELEMENTS(certificates));

	(void)verified;
	if (c->chain_is_told) /* this is another chain, in the same handshake or after it */
		return 0;
	c->chain_is_told = store->error_depth == 0;
	if (n > 0 && c->peer.n == 0 && c->peer.err.code == 0) {
		for (size_t i = 0; i < n; i++)
			certificates[i] = span_of(store->certs[i].buffer, store->certs[i].length);
		(void)peer_chain_keep(&c->peer, certificates, n);
	}
	return c->peer.err.code == 0;
}

int tls_channel_take_received(WOLFSSL *wolfssl, char *ret, int size, void *owner)
{
	struct tls_channel *c = owner;
	struct span waiting = byte_queue_peek(&c->received);
	size_t n = MIN((size_t)size, waiting.size);

	(void)wolfssl;
	if (n == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(ret, waiting.bytes, n);
	byte_queue_drop(&c->received, n);
	return (int)n;
}

int tls_channel_put_pending(WOLFSSL *wolfssl, char *bytes, int size, void *owner)
{
	struct tls_channel *c = owner;

	(void)wolfssl;
	if (byte_queue_put(&c->pending, span_of(bytes, (size_t)size)) < 0)
		return WOLFSSL_CBIO_ERR_GENERAL;
	return size;
}

/* wolfSSL keeps CA certificates that peers send. So each channel has a store of its own, which is
 * freed with it. */
static bool use_own_store(WOLFSSL *wolfssl)
{
	WOLFSSL_X509_STORE *store = wolfSSL_X509_STORE_new();

	if (store && wolfSSL_set0_verify_cert_store(wolfssl, store) == WOLFSSL_SUCCESS)
		return true;
	wolfSSL_X509_STORE_free(store);
	return false;
}

static bool set_up_wolfssl(struct tls_channel *c, const struct tls_context *context)
{
	char alpn[] = TLS_ALPN "," TLS_ALPN_1; /* the first that both know */

	c->wolfssl = wolfSSL_new(context->wolfssl);
	if (!c->wolfssl || !use_own_store(c->wolfssl))
		return false;
	wolfSSL_SetCertCbCtx(c->wolfssl, c);
	wolfSSL_SetIOReadCtx(c->wolfssl, c);
	wolfSSL_SetIOWriteCtx(c->wolfssl, c);
	if (context->signer) {
		wolfSSL_SetRsaPssSignCtx(c->wolfssl, (void *)(uintptr_t)context->signer);
		wolfSSL_SetEccSignCtx(c->wolfssl, (void *)(uintptr_t)context->signer);
	}
	wolfSSL_KeepArrays(c->wolfssl); /* the exporter needs them after the handshake */
	return wolfSSL_UseALPN(c->wolfssl, alpn, sizeof(alpn) - 1,
			       WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

int tls_channel_open(struct tls_channel **ret, struct tls_context *context, struct err *err)
{
	struct tls_channel *c = calloc(1, sizeof(*c));

	if (c) {
		c->is_server = context->is_server;
		byte_queue_init(&c->received, TLS_WAITING_MAX);
		byte_queue_init(&c->pending, TLS_WAITING_MAX);
	}
	if (!c || !set_up_wolfssl(c, context)) {
		tls_channel_free(c);
		return err_set(err, -ENOMEM, "TLS: out of memory");
	}
	*ret = c;
	return 0;
}

void tls_channel_free(struct tls_channel *c)
{
	if (!c)
		return;
	wolfSSL_free(c->wolfssl);
	byte_queue_release(&c->received);
	byte_queue_release(&c->pending);
	peer_chain_release(&c->peer);
	free(c);
}

int tls_channel_receive(struct tls_channel *c, struct span bytes)
{
	return byte_queue_put(&c->received, bytes);
}

struct span tls_channel_pending(const struct tls_channel *c)
{
	return byte_queue_peek(&c->pending);
}

void tls_channel_sent(struct tls_channel *c, size_t n)
{
	byte_queue_drop(&c->pending, n);
}

/* What wolfSSL's return value of a call means; result is that value, not positive. */
static int explain(struct tls_channel *c, int result, const char *what, struct err *err)
{
	int code = wolfSSL_get_error(c->wolfssl, result);

	if (code == WOLFSSL_ERROR_WANT_READ || code == WOLFSSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (code == WOLFSSL_ERROR_ZERO_RETURN)
		return err_set(err, -EPIPE, "TLS: the peer has closed");
	if (c->peer.err.code < 0)
		return err_set(err, -EPROTO, "TLS %s: %s", what, c->peer.err.text);
	return err_set(err, -EPROTO, "TLS %s: %s", what,
		       wolfSSL_ERR_reason_error_string((unsigned long)code));
}

static bool is_alpn(const char *expected, const char *name, size_t size)
{
	return size == strlen(expected) && memcmp(name, expected, size) == 0;
}

/* wolfSSL lets a peer through that offers no ALPN, so this checks it. */
static int check_alpn(struct tls_channel *c, struct err *err)
{
	char *name = NULL;
	unsigned short size = 0;

	if (wolfSSL_ALPN_GetProtocol(c->wolfssl, &name, &size) == WOLFSSL_SUCCESS) {
		if (is_alpn(TLS_ALPN, name, size))
			c->version = 2;
		if (is_alpn(TLS_ALPN_1, name, size))
			c->version = 1;
	}
	return c->version ? 0
			  : err_set(err, -EPROTO,
				    "TLS handshake: no ALPN, expected " TLS_ALPN " or " TLS_ALPN_1);
}

/* Compares the chain that wolfSSL has kept with the one that we have kept. wolfSSL has checked
 * CertificateVerify with the first certificate of its chain. Everything that peer_chain.h allows
 * is within wolfSSL's limits, so the two must be the same. We do not ask for wolfSSL's X509
 * object of the peer, because wolfSSL 5.5.4 may then lose it. */
static int check_leaf(struct tls_channel *c, struct err *err)
{
	WOLFSSL_X509_CHAIN *kept = wolfSSL_get_peer_chain(c->wolfssl);
	int n = kept ? wolfSSL_get_chain_count(kept) : 0;
	bool same = (c->chain_is_told || c->peer.n == 0) && n >= 0 && (size_t)n == c->peer.n;

	for (int i = 0; same && i < n; i++) {
		struct span certificate = c->peer.certificates[i];
		int size = wolfSSL_get_chain_length(kept, i);

		same = size >= 0 && (size_t)size == certificate.size &&
		       memcmp(wolfSSL_get_chain_cert(kept, i), certificate.bytes,
			      certificate.size) == 0;
	}
	return same ? 0
		    : err_set(err, -EPROTO,
			      "TLS handshake: the certificates that were shown could not be kept");
}

/* An earlier session proves nothing about the present peer. We neither offer nor keep sessions,
 * so none may be resumed. */
static int check_session(struct tls_channel *c, struct err *err)
{
	if (wolfSSL_session_reused(c->wolfssl))
		return err_set(err, -EPROTO, "TLS handshake: a session was resumed");
	return check_leaf(c, err);
}

int tls_channel_advance(struct tls_channel *c, struct err *err)
{
	int result = c->is_server ? wolfSSL_accept(c->wolfssl) : wolfSSL_connect(c->wolfssl);
	int rc;

	if (result != WOLFSSL_SUCCESS)
		return explain(c, result, "handshake", err);
	rc = check_alpn(c, err);
	return rc == 0 ? check_session(c, err) : rc;
}

int tls_channel_read(struct tls_channel *c, uint8_t *ret, size_t size, size_t *ret_size,
		     struct err *err)
{
	int result = wolfSSL_read(c->wolfssl, ret, (int)MIN(size, (size_t)1 << 20));

	if (result <= 0)
		return explain(c, result, "read", err);
	*ret_size = (size_t)result;
	return 0;
}

int tls_channel_write(struct tls_channel *c, struct span bytes, struct err *err)
{
	int result;

	/* Everything is written at once, or nothing is: so there must be room for the bytes and for
	 * what TLS adds. */
	if (bytes.size == 0 || bytes.size > (TLS_WAITING_MAX - c->pending.size) / 2)
		return err_set(err, -ENOBUFS, "TLS write: %zu bytes, %zu wait already", bytes.size,
			       c->pending.size);
	result = wolfSSL_write(c->wolfssl, bytes.bytes, (int)bytes.size);
	return result == (int)bytes.size ? 0 : explain(c, result, "write", err);
}

void tls_channel_shut(struct tls_channel *c)
{
	(void)wolfSSL_shutdown(c->wolfssl);
}

int tls_channel_export(struct tls_channel *c, uint8_t ret[TLS_EXPORTER_SIZE], struct err *err)
{
	static const char label[] = TRANSCRIPT_EXPORTER_LABEL;

	if (wolfSSL_export_keying_material(c->wolfssl, ret, TLS_EXPORTER_SIZE, label,
					   sizeof(label) - 1, NULL, 0, 1) != WOLFSSL_SUCCESS)
		return err_set(err, -EPROTO, "TLS: no channel binding");
	wolfSSL_FreeArrays(c->wolfssl);
	return 0;
}

unsigned tls_channel_version(const struct tls_channel *c)
{
	return c->version;
}

/* Others than these two are not allowed: tls_context. */
const char *tls_channel_group(const struct tls_channel *c)
{
	const char *name = wolfSSL_get_curve_name(c->wolfssl);

	return name && strcmp(name, "X25519") == 0 ? "x25519" : "p-256";
}

size_t tls_channel_peer_chain(struct tls_channel *c, struct span ret[TLS_CHAIN_MAX])
{
	memcpy(ret, c->peer.certificates, c->peer.n * sizeof(ret[0]));
	return c->peer.n;
}
