/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/authorized_keys.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/macros.h"

/* The longest line: two ports of five digits, and the key. */
#define LINE_SIZE                                                                                  \
	(sizeof("restrict,port-forwarding,permitlisten=\"localhost:65535\","                       \
		"permitopen=\"localhost:65535\",command=\"/bin/false\" ssh-ed25519 \n") +          \
	 BASE64_LENGTH((size_t)SSH_KEY_ED25519_SIZE))

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

static int format_line(const struct authorized_key *key, uint16_t repository_port, char *ret,
		       struct err *err)
{
	struct span blob = span_of(key->blob, sizeof(key->blob));
	char text[BASE64_LENGTH((size_t)SSH_KEY_ED25519_SIZE) + 1];

	if (!ssh_key_is_ed25519(blob))
		return err_set(err, -EINVAL, "the key for port %u is no ssh-ed25519 key",
			       key->listen_port);
	if (key->listen_port == 0)
		return err_set(err, -EINVAL, "a key for port 0");
	base64_write(blob, text);
	return snprintf(ret, LINE_SIZE,
			"restrict,port-forwarding,permitlisten=\"localhost:%u\","
			"permitopen=\"localhost:%u\",command=\"/bin/false\" ssh-ed25519 %s\n",
			key->listen_port, repository_port, text);
}

int authorized_keys_format(const struct authorized_key *keys, size_t n_keys,
			   uint16_t repository_port, char **ret, struct err *err)
{
	_cleanup_(freep) char *text = calloc(n_keys + 1, LINE_SIZE);
	char *at = text;

	if (!text)
		return err_set_errno(err, -ENOMEM, "authorized keys");
	for (size_t i = 0; i < n_keys; i++) {
		int length = format_line(&keys[i], repository_port, at, err);

		if (length < 0)
			return length;
		at += length;
	}
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
