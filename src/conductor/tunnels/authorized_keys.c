/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/authorized_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/macros.h"

/* The longest text: two ports of five digits, and the key. */
#define TEXT_SIZE                                                                                  \
	(sizeof("restrict,port-forwarding,permitlisten=\"localhost:65535\","                       \
		"permitopen=\"localhost:65535\",command=\"/bin/false\" ssh-ed25519 ") +            \
	 BASE64_LENGTH((size_t)SSH_KEY_ED25519_SIZE))
_Static_assert(TEXT_SIZE < AUTHORIZED_KEYS_LINE, "a line takes the longest text");

static void freep(char **text)
{
	free(*text);
}

void authorized_key_fingerprint(const uint8_t blob[SSH_KEY_ED25519_SIZE],
				char ret[AUTHORIZED_KEY_FINGERPRINT_SIZE])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char padded[BASE64_LENGTH(SHA256_DIGEST_LENGTH) + 1];

	(void)SHA256(blob, SSH_KEY_ED25519_SIZE, digest);
	base64_write(span_of(digest, sizeof(digest)), padded);
	memcpy(ret, padded, AUTHORIZED_KEY_FINGERPRINT_SIZE - 1);
	ret[AUTHORIZED_KEY_FINGERPRINT_SIZE - 1] = '\0';
}

static int format_line(const struct authorized_key *key, uint16_t repository_port,
		       char ret[AUTHORIZED_KEYS_LINE], struct err *err)
{
	struct span blob = span_of(key->blob, sizeof(key->blob));
	char text[BASE64_LENGTH((size_t)SSH_KEY_ED25519_SIZE) + 1];
	int n;

	if (!ssh_key_is_ed25519(blob))
		return err_set(err, -EINVAL, "the key for port %u is no ssh-ed25519 key",
			       key->listen_port);
	if (key->listen_port == 0)
		return err_set(err, -EINVAL, "a key for port 0");
	base64_write(blob, text);
	n = snprintf(ret, AUTHORIZED_KEYS_LINE,
		     "restrict,port-forwarding,permitlisten=\"localhost:%u\","
		     "permitopen=\"localhost:%u\",command=\"/bin/false\" ssh-ed25519 %s",
		     key->listen_port, repository_port, text);
	memset(ret + n, ' ', AUTHORIZED_KEYS_LINE - 1 - (size_t)n);
	ret[AUTHORIZED_KEYS_LINE - 1] = '\n';
	return 0;
}

int authorized_keys_format(const struct authorized_key *keys, size_t n_keys,
			   uint16_t repository_port, char **ret, struct err *err)
{
	_cleanup_(freep) char *text = malloc(n_keys * AUTHORIZED_KEYS_LINE + 1);

	if (!text)
		return err_set_errno(err, -ENOMEM, "authorized keys");
	for (size_t i = 0; i < n_keys; i++) {
		int rc = format_line(&keys[i], repository_port, text + i * AUTHORIZED_KEYS_LINE,
				     err);

		if (rc < 0)
			return rc;
	}
	text[n_keys * AUTHORIZED_KEYS_LINE] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

int authorized_keys_write(const char *path, const struct authorized_key *keys, size_t n_keys,
			  uint16_t repository_port, struct err *err)
{
	_cleanup_(freep) char *text = NULL;
	int rc = authorized_keys_format(keys, n_keys, repository_port, &text, err);

	if (rc < 0)
		return rc;
	return atomic_file_write(path, span_of_string(text), 0644, err);
}

int authorized_keys_open(const char *path, size_t n_lines, int *ret_fd, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_set_errno(err, -errno, "open %s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (size_t)st.st_size == n_lines * AUTHORIZED_KEYS_LINE) {
		*ret_fd = fd;
		return 0;
	}
	(void)close(fd);
	return err_set(err, -ESTALE, "%s: expected a file of %zu keys", path, n_lines);
}

int authorized_keys_put(int fd, size_t line, const struct authorized_key *key,
			uint16_t repository_port, struct err *err)
{
	char text[AUTHORIZED_KEYS_LINE];
	ssize_t n;
	int rc = 0;

	memset(text, ' ', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\n';
	if (key)
		rc = format_line(key, repository_port, text, err);
	if (rc < 0)
		return rc;
	n = pwrite(fd, text, sizeof(text), (off_t)(line * sizeof(text)));
	if (n == (ssize_t)sizeof(text))
		return 0;
	return err_set_errno(err, n < 0 ? -errno : -ENOSPC, "write the key of line %zu", line + 1);
}

int authorized_keys_finish(int fd, bool sync, struct err *err)
{
	int rc = sync && fdatasync(fd) < 0 ? -errno : 0;

	(void)close(fd);
	return rc < 0 ? err_set_errno(err, rc, "sync the keys that may log in") : 0;
}
