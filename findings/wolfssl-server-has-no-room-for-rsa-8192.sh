#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# wolfSSL's TLS 1.3 server cannot show a certificate with an RSA-8192 key, though its client takes one.
#
# Debian 12's libwolfssl 5.5.4 computes with RSA keys of up to 4096 bits (RSA_MAX_SIZE). With its callbacks
# other libraries can sign and verify for it. The client hands a signature of 1024 bytes to the callback that
# verifies. The server ends with BUFFER_E (-132) before it asks the callback that signs: there is no room for
# the signature in its message. Loading such a certificate and its key succeeds. Seen:
#
#	rsa2048: loaded, the server asks to sign
#	rsa8192: loaded, the server ends with -132
#	rsa2048: the client asks to verify 256 bytes
#	rsa8192: the client asks to verify 1024 bytes
#
# Exit 1, and "changed", once that is no longer so. Needs gcc and openssl; installs nothing.
set -eu
version=5.5.4-2+deb12u3
folder=$(mktemp -d)
libssl=
trap '[ -z "$libssl" ] || kill "$libssl" 2>/dev/null || :; rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libwolfssl35=$version" "libwolfssl-dev=$version" >&2
for package in ./*.deb; do
	dpkg -x "$package" root
done
for bits in 2048 8192; do # of several primes, since two of 4096 bits take a minute to find
	openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$bits" -pkeyopt \
		"rsa_keygen_primes:$((bits / 2048 + 1 > 2 ? 5 : 2))" -out "rsa$bits.key" 2>/dev/null
	openssl req -x509 -key "rsa$bits.key" -subj "/CN=rsa$bits" -days 30 -out "rsa$bits"
	openssl pkey -in "rsa$bits.key" -pubout -outform DER -out "rsa$bits.public"
done
cat >look.c <<'END'
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/cryptocb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct {
	char bytes[1 << 16];
	int n;
} wires[2]; /* to the client, to the server */

static int take(WOLFSSL *ssl, char *to, int room, void *side)
{
	int n = wires[*(int *)side].n < room ? wires[*(int *)side].n : room;
	(void)ssl;
	if (n == 0)
		return WOLFSSL_CBIO_ERR_WANT_READ;
	memcpy(to, wires[*(int *)side].bytes, n);
	wires[*(int *)side].n -= n;
	memmove(wires[*(int *)side].bytes, wires[*(int *)side].bytes + n, wires[*(int *)side].n);
	return n;
}

static int put(WOLFSSL *ssl, char *from, int n, void *side)
{
	(void)ssl;
	memcpy(wires[!*(int *)side].bytes + wires[!*(int *)side].n, from, n);
	wires[!*(int *)side].n += n;
	return n;
}

static int sign(WOLFSSL *ssl, const unsigned char *digest, unsigned size, unsigned char *to,
		unsigned *room, int hash, int mgf, const unsigned char *key, unsigned key_size,
		void *owner)
{
	puts("the server asks to sign");
	return -1;
}

static int verify(WOLFSSL *ssl, unsigned char *signature, unsigned size, unsigned char **to,
		  int hash, int mgf, const unsigned char *key, unsigned key_size, void *owner)
{
	printf("the client asks to verify %u bytes\n", size);
	return -1;
}

static int take_any(int verified, WOLFSSL_X509_STORE_CTX *store)
{
	return 1;
}

static int compute_nothing(int device, wc_CryptoInfo *operation, void *owner)
{
	return CRYPTOCB_UNAVAILABLE;
}

static void look_at_server(const char *certificate, const char *public_key)
{
	static int sides[2] = {0, 1};
	WOLFSSL_CTX *contexts[2] = {wolfSSL_CTX_new(wolfTLSv1_3_client_method()),
				    wolfSSL_CTX_new(wolfTLSv1_3_server_method())};
	WOLFSSL *ends[2];
	int rc = 0;

	wolfSSL_CTX_SetDevId(contexts[1], 7);
	wolfSSL_CTX_SetRsaPssSignCb(contexts[1], sign);
	printf("%s: %s, ", certificate,
	       wolfSSL_CTX_use_certificate_file(contexts[1], certificate, WOLFSSL_FILETYPE_PEM) == 1 &&
			       wolfSSL_CTX_use_PrivateKey_file(contexts[1], public_key,
							       WOLFSSL_FILETYPE_ASN1) == 1
		       ? "loaded"
		       : "not loaded");
	wolfSSL_CTX_set_verify(contexts[0], WOLFSSL_VERIFY_NONE, NULL);
	for (int i = 0; i < 2; i++) {
		wolfSSL_CTX_SetIORecv(contexts[i], take);
		wolfSSL_CTX_SetIOSend(contexts[i], put);
		ends[i] = wolfSSL_new(contexts[i]);
		wolfSSL_SetIOReadCtx(ends[i], &sides[i]);
		wolfSSL_SetIOWriteCtx(ends[i], &sides[i]);
	}
	wolfSSL_connect(ends[0]);
	rc = wolfSSL_get_error(ends[1], wolfSSL_accept(ends[1]));
	if (rc == -132)
		printf("the server ends with %d\n", rc);
	for (int i = 0; i < 2; i++) {
		wires[i].n = 0;
		wolfSSL_free(ends[i]);
		wolfSSL_CTX_free(contexts[i]);
	}
}

static void look_at_client(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
	WOLFSSL *ssl;

	strcpy(to.sun_path, path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		perror(path);
	wolfSSL_CTX_SetRsaPssVerifyCb(context, verify);
	wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, take_any);
	ssl = wolfSSL_new(context);
	wolfSSL_set_fd(ssl, fd);
	wolfSSL_connect(ssl);
	wolfSSL_free(ssl);
}

int main(int argc, char **argv)
{
	wolfSSL_Init();
	wc_CryptoCb_RegisterDevice(7, compute_nothing, NULL);
	if (argc == 3)
		look_at_server(argv[1], argv[2]);
	else
		look_at_client(argv[1]);
	return 0;
}
END
library=$(echo root/usr/lib/*/libwolfssl.so.35)
gcc -I root/usr/include look.c "$library" -o look
for name in rsa2048 rsa8192; do
	LD_LIBRARY_PATH=$(dirname "$library") ./look $name $name.public
done >seen
for name in rsa2048 rsa8192; do
	openssl s_server -unix "$name.socket" -cert $name -key $name.key -tls1_3 -quiet -naccept 1 \
		>/dev/null 2>&1 &
	libssl=$!
	until [ -S "$name.socket" ]; do
		kill -0 "$libssl"
	done
	echo "$name: $(LD_LIBRARY_PATH=$(dirname "$library") ./look "$name.socket")"
	wait "$libssl" || :
	libssl=
done >>seen
cat seen
cat >expected <<'END'
rsa2048: loaded, the server asks to sign
rsa8192: loaded, the server ends with -132
rsa2048: the client asks to verify 256 bytes
rsa8192: the client asks to verify 1024 bytes
END
if ! cmp -s seen expected; then
	echo changed
	exit 1
fi
