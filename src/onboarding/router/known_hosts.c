/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/known_hosts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/macros.h"
#include "onboarding/ssh_key.h"

#define HOST_SIZE_MAX 253 /* of a name (RFC 1035, 2.3.4) */
#define SSH_PORT      22

#define LINE_SIZE                                                                                  \
	(HOST_SIZE_MAX + sizeof("[]:65535  \n") + SSH_KEY_TYPE_SIZE +                              \
	 BASE64_LENGTH((size_t)SSH_KEY_SIZE_MAX))

static void freep(char **text)
{
	free(*text);
}

static bool is_host(const char *host)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.:_-%";
	size_t size = strlen(host);

	return size > 0 && size <= HOST_SIZE_MAX && host[0] != '-' && strspn(host, allowed) == size;
}

/* Returns its length, or -EINVAL. ret: LINE_SIZE. */
static int format_line(const char *host, uint16_t port, struct span key, char *ret)
{
	const char *type = ssh_key_type(key);
	char text[BASE64_LENGTH((size_t)SSH_KEY_SIZE_MAX) + 1];

	if (!type)
		return -EINVAL;
	base64_write(key, text);
	if (port == SSH_PORT) /* that is left out (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) */
		return snprintf(ret, LINE_SIZE, "%s %s %s\n", host, type, text);
	return snprintf(ret, LINE_SIZE, "[%s]:%u %s %s\n", host, port, type, text);
}

/* A tunnel that is down for weeks asks this at each try. The file is not written again, to spare
 * the flash. */
static bool is_there(const char *path, const char *text)
{
	_cleanup_(freep) char *was = NULL;
	size_t size;

	return file_read_regular(path, strlen(text), &was, &size, NULL) == 0 &&
	       strcmp(was, text) == 0;
}

int known_hosts_write(const char *path, const char *host, uint16_t port, const struct span *keys,
		      size_t n_keys, struct err *err)
{
	_cleanup_(freep) char *text = calloc(n_keys + 1, LINE_SIZE);
	char *at = text;

	if (!text)
		return err_set_errno(err, -ENOMEM, "known hosts");
	if (!is_host(host))
		return err_set(err, -EINVAL, "'%s' is neither a host's name nor an address", host);
	if (n_keys == 0)
		return err_set(err, -EINVAL, "no host key of %s is known", host);
	for (size_t i = 0; i < n_keys; i++) {
		int length = format_line(host, port, keys[i], at);

		if (length < 0)
			return err_set(err, length, "host key %zu of %s is no SSH key", i + 1,
				       host);
		at += length;
	}
	if (is_there(path, text))
		return 0;
	return atomic_file_write(path, span_of_string(text), 0600, err);
}
