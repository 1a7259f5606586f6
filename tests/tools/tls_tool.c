/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One end of SCO's TLS on the command line, so that others' TLS can be held against it:
 *
 *	tls_tool server CHAIN KEY          listens on 127.0.0.1, prints "port N", serves one
 *connection tls_tool client PORT [CHAIN KEY]
 *
 * CHAIN and KEY are PEM. Once established it prints "exporter HEX" and "peer HEX" for each
 * certificate (SHA-256 of its DER), sends "hello\n", prints "heard TEXT" and closes. Exit status 1
 * and why on stderr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/macros.h"
#include "onboarding/key_signer.h"
#include "onboarding/tls_channel.h"

struct party {
	char chain[16384];
	EVP_PKEY *key;
	uint8_t *public_key;
	size_t public_key_size;
	struct tls_signer signer;
	struct tls_identity identity;
};

static void die(const char *why)
{
	(void)fprintf(stderr, "%s\n", why);
	exit(1);
}

static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		die(path);
	return file;
}

static void load(struct party *party, const char *chain_path, const char *key_path)
{
	FILE *chain = open_file(chain_path);
	FILE *key = open_file(key_path);
	size_t size = fread(party->chain, 1, sizeof(party->chain), chain);

	party->key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	(void)fclose(chain);
	(void)fclose(key);
	if (!party->key ||
	    key_signer_public(party->key, &party->public_key, &party->public_key_size) < 0)
		die("no key");
	party->signer = key_signer(party->key);
	party->identity = (struct tls_identity){
		.chain = span_of(party->chain, size),
		.public_key = span_of(party->public_key, party->public_key_size),
		.signer = &party->signer,
	};
}

static int accept_one(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listening, (struct sockaddr *)&address, size) < 0 || listen(listening, 1) < 0 ||
	    getsockname(listening, (struct sockaddr *)&address, &size) < 0)
		die("cannot listen");
	(void)printf("port %u\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	(void)close(listening);
	return fd;
}

static int connect_to(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("cannot connect");
	return fd;
}

static void flush(struct tls_channel *c, int fd)
{
	while (tls_channel_pending(c).size > 0) {
		struct span bytes = tls_channel_pending(c);
		ssize_t n = send(fd, bytes.bytes, bytes.size, MSG_NOSIGNAL);

		if (n <= 0)
			die("the peer is gone");
		tls_channel_sent(c, (size_t)n);
	}
}

static void receive(struct tls_channel *c, int fd)
{
	uint8_t bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n <= 0)
		die("the peer is gone");
	if (tls_channel_receive(c, span_of(bytes, (size_t)n)) < 0)
		die("too much");
}

static void establish(struct tls_channel *c, int fd)
{
	struct err err;

	for (;;) {
		int rc = tls_channel_advance(c, &err);

		if (rc < 0 && rc != -EAGAIN)
			(void)fprintf(stderr, "%s\n", err.text);
		flush(c, fd);
		if (rc == 0)
			return;
		if (rc != -EAGAIN)
			exit(1);
		receive(c, fd);
	}
}

static void print_hex(const char *what, const uint8_t bytes[32])
{
	char hex[65];

	hex_encode(span_of(bytes, 32), hex);
	(void)printf("%s %s\n", what, hex);
}

static void tell(struct tls_channel *c)
{
	struct span chain[TLS_CHAIN_MAX];
	size_t n = tls_channel_peer_chain(c, chain);
	uint8_t bytes[32];
	struct err err;

	if (tls_channel_export(c, bytes, &err) < 0)
		die(err.text);
	print_hex("exporter", bytes);
	for (size_t i = 0; i < n; i++) {
		(void)EVP_Digest(chain[i].bytes, chain[i].size, bytes, NULL, EVP_sha256(), NULL);
		print_hex("peer", bytes);
	}
}

static void converse(struct tls_channel *c, int fd)
{
	uint8_t heard[64];
	size_t size = 0;
	struct err err;
	int rc;

	if (tls_channel_write(c, span_of_string("hello\n"), &err) < 0)
		die(err.text);
	flush(c, fd);
	while ((rc = tls_channel_read(c, heard, sizeof(heard), &size, &err)) == -EAGAIN)
		receive(c, fd);
	if (rc < 0)
		die(err.text);
	(void)printf("heard %.*s", (int)size, (const char *)heard);
	tls_channel_shut(c);
	flush(c, fd);
}

int main(int argc, char **argv)
{
	static struct party party;
	bool is_server = argc == 4 && strcmp(argv[1], "server") == 0;
	bool is_client = (argc == 3 || argc == 5) && strcmp(argv[1], "client") == 0;
	struct tls_context *context = NULL;
	struct tls_channel *c = NULL;
	struct err err;
	int fd;

	if (!is_server && !is_client)
		die("usage: tls_tool server CHAIN KEY | client PORT [CHAIN KEY]");
	if (argc > 3)
		load(&party, argv[argc - 2], argv[argc - 1]);
	if ((is_server ? tls_context_new_server(&context, &party.identity, &err)
		       : tls_context_new_client(&context, argc > 3 ? &party.identity : NULL,
						&err)) < 0 ||
	    tls_channel_open(&c, context, &err) < 0)
		die(err.text);
	fd = is_server ? accept_one() : connect_to(argv[2]);
	establish(c, fd);
	tell(c);
	converse(c, fd);
	(void)close(fd);
	tls_channel_free(c);
	tls_context_free(context);
	OPENSSL_free(party.public_key);
	EVP_PKEY_free(party.key);
	return 0;
}
