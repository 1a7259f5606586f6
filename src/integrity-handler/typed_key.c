/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity-handler/typed_key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/macros.h"

#define KEY_SIZE 32u
#define HEX_SIZE 64u
#define TYPED_SIZE                                                                                 \
	(HEX_SIZE + 2) /* hex, a newline, and one more to see that it is too long                  \
			*/

/* Reads with read(2), because stdio would keep a copy of the key. */
static int read_all(int fd, struct secret *into, size_t *ret_size)
{
	size_t size = 0;

	while (size < into->size) {
		ssize_t n = read(fd, into->bytes + size, into->size - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		/* A terminal sends a line, with a newline at its end. */
		if (n == 0 || (size > HEX_SIZE && into->bytes[size - 1] == '\n'))
			break;
	}
	*ret_size = size;
	return 0;
}

static int read_unseen(int fd, struct secret *into, size_t *ret_size)
{
	struct termios before;
	struct termios unseen;
	int rc;

	if (tcgetattr(fd, &before) < 0)
		return read_all(fd, into, ret_size);
	unseen = before;
	unseen.c_lflag &= ~(tcflag_t)ECHO;
	(void)fputs("Type the unwrapped key, 64 hex digits: ", stdout);
	(void)fflush(stdout);
	(void)tcsetattr(fd, TCSAFLUSH, &unseen);
	rc = read_all(fd, into, ret_size);
	(void)tcsetattr(fd, TCSAFLUSH, &before);
	(void)putchar('\n');
	return rc;
}

static bool decode(struct secret *typed, size_t size, struct secret *ret)
{
	size_t decoded;

	if (size == KEY_SIZE) {
		memcpy(ret->bytes, typed->bytes, KEY_SIZE);
		return true;
	}
	if (size == HEX_SIZE + 1 && typed->bytes[HEX_SIZE] == '\n')
		size--;
	if (size != HEX_SIZE)
		return false;
	typed->bytes[size] = '\0';
	return hex_decode((const char *)typed->bytes, KEY_SIZE, KEY_SIZE, ret->bytes, &decoded) ==
	       0;
}

int typed_key_read(int fd, struct secret *ret, struct err *err)
{
	_cleanup_(secret_release) struct secret typed = {0};
	struct secret key = {0};
	size_t size = 0;
	int rc = secret_init(&typed, TYPED_SIZE, err);

	if (rc == 0)
		rc = secret_init(&key, KEY_SIZE, err);
	if (rc != 0)
		return rc;
	rc = isatty(fd) ? read_unseen(fd, &typed, &size) : read_all(fd, &typed, &size);
	if (rc < 0)
		rc = err_set(err, rc, "read the unwrapped key: %s", strerror(-rc));
	else if (!decode(&typed, size, &key))
		rc = err_set(err, -EBADMSG,
			     "expected the unwrapped key on standard input: 32 bytes, or 64 "
			     "lower-case hex digits");
	if (rc < 0) {
		secret_release(&key);
		return rc;
	}
	*ret = key;
	return 0;
}
