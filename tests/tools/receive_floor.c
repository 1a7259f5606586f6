/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a downloaded byte costs when nothing is done but to receive, hash and write it, for
 * tests/bench/download: one connection, one thread, no libcurl, nothing of ours.
 *
 *	receive_floor buffered|direct PORT PATH FILE
 *
 * Gets http://127.0.0.1:PORT/PATH, which must come with Content-Length, into FILE, syncs it, and
 * prints its SHA-256. direct: around the page cache, where the filesystem can do that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK     (256u << 10)
#define ALIGNMENT 4096u
#define HEAD_MAX  4096u

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(const char *port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("connect");
	return fd;
}

static void ask(int fd, const char *path)
{
	char request[1024];
	int n = snprintf(request, sizeof(request),
			 "GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", path);

	if (n < 0 || (size_t)n >= sizeof(request) || send(fd, request, (size_t)n, 0) != n)
		die("send");
}

/* Byte by byte, so that what follows begins at the start of a block. */
static uint64_t length_from_head(int fd)
{
	char head[HEAD_MAX] = "";
	const char *line;
	size_t n = 0;

	while (!strstr(head, "\r\n\r\n")) {
		if (n + 1 == sizeof(head) || recv(fd, head + n, 1, 0) != 1)
			die("no head of a reply");
		n++;
	}
	line = strcasestr(head, "\r\nContent-Length:");
	if (strncmp(head, "HTTP/1.1 200", 12) != 0 || !line)
		die("expected 200 with Content-Length");
	return strtoull(line + 17, NULL, 10);
}

static int make_file(const char *path, uint64_t size, bool direct)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | (direct ? O_DIRECT : 0);
	int fd = open(path, flags, 0644);

	if (fd < 0 || fallocate(fd, 0, 0, (off_t)size) < 0)
		die(path);
	return fd;
}

static void write_all(int fd, const uint8_t *block, size_t n, uint64_t offset, bool direct)
{
	size_t whole = direct ? (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT : n;

	if (pwrite(fd, block, whole, (off_t)offset) != (ssize_t)whole)
		die("write");
}

static void fetch(int from, int to, uint64_t size, bool direct, EVP_MD_CTX *digest)
{
	uint8_t *block = aligned_alloc(ALIGNMENT, BLOCK);

	if (!block)
		die("memory");
	memset(block, 0, BLOCK);
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < BLOCK ? (size_t)(size - at) : BLOCK;

		if (recv(from, block, n, MSG_WAITALL) != (ssize_t)n)
			die("recv");
		if (EVP_DigestUpdate(digest, block, n) != 1)
			die("SHA-256");
		write_all(to, block, n, at, direct);
		at += n;
	}
	if ((direct && ftruncate(to, (off_t)size) < 0) || fdatasync(to) < 0)
		die("sync");
	free(block);
}

int main(int argc, char **argv)
{
	bool direct = argc == 5 && strcmp(argv[1], "direct") == 0;
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t found[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	int from;
	uint64_t length;

	if (argc != 5 || !digest || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1) {
		(void)fprintf(stderr, "usage: receive_floor buffered|direct PORT PATH FILE\n");
		return 2;
	}
	from = connect_to(argv[2]);
	ask(from, argv[3]);
	length = length_from_head(from);
	fetch(from, make_file(argv[4], length, direct), length, direct, digest);
	if (EVP_DigestFinal_ex(digest, found, &size) != 1)
		die("SHA-256");
	EVP_MD_CTX_free(digest);
	for (unsigned i = 0; i < size; i++)
		(void)printf("%02x", found[i]);
	(void)printf("\n");
	return 0;
}
