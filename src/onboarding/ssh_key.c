/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/ssh_key.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/macros.h"

/* Type names and how many fields follow. */
static const struct {
	const char *name;
	unsigned n_fields;
} types[] = {
	{"ssh-ed25519", 1},         {"ssh-rsa", 2},
	{"ecdsa-sha2-nistp256", 2}, {"ecdsa-sha2-nistp384", 2},
	{"ecdsa-sha2-nistp521", 2},
};

/* Take a field with its four bytes of length from the front. */
static bool take_field(struct span *rest, struct span *ret)
{
	size_t size;

	if (rest->size < 4)
		return false;
	size = (size_t)rest->bytes[0] << 24 | (size_t)rest->bytes[1] << 16 |
	       (size_t)rest->bytes[2] << 8 | rest->bytes[3];
	if (size == 0 || size > rest->size - 4)
		return false;
	*ret = span_of(rest->bytes + 4, size);
	*rest = span_of(rest->bytes + 4 + size, rest->size - 4 - size);
	return true;
}

const char *ssh_key_type(struct span blob)
{
	struct span name;
	struct span field;

	if (blob.size > SSH_KEY_SIZE_MAX || !take_field(&blob, &name))
		return NULL;
	for (unsigned i = 0; i < N_ELEMENTS(types); i++) {
		if (name.size != strlen(types[i].name) ||
		    memcmp(name.bytes, types[i].name, name.size) != 0)
			continue;
		for (unsigned n = 0; n < types[i].n_fields; n++)
			if (!take_field(&blob, &field))
				return NULL;
		return blob.size == 0 ? types[i].name : NULL;
	}
	return NULL;
}

bool ssh_key_is_ed25519(struct span blob)
{
	const char *type = ssh_key_type(blob);

	return blob.size == SSH_KEY_ED25519_SIZE && type && strcmp(type, "ssh-ed25519") == 0;
}

int ssh_key_from_line(const char *line, uint8_t ret[SSH_KEY_ED25519_SIZE])
{
	static const char type[] = "ssh-ed25519 ";
	uint8_t *blob = NULL;
	size_t size = 0;
	int rc;

	if (strncmp(line, type, strlen(type)) != 0)
		return -EINVAL;
	line += strlen(type);
	rc = base64_decode(span_of(line, strcspn(line, " \n")), &blob, &size);
	if (rc == -EBADMSG || (rc == 0 && !ssh_key_is_ed25519(span_of(blob, size))))
		rc = -EINVAL;
	if (rc == 0)
		memcpy(ret, blob, SSH_KEY_ED25519_SIZE);
	free(blob);
	return rc;
}
