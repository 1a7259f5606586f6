/* SPDX-License-Identifier: GPL-3.0-or-later */
/* support.h - what tests need: cmocka with its headers, a folder of their own, a loop that ends.
 */
#pragma once

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/err.h"
#include "base/jws.h"
#include "base/span.h"

/* A new folder in /tmp; test_folder_remove() removes it with all that is in it, and frees path. */
char *test_folder(void);
void test_folder_remove(char *path);

/* <folder>/<name>, in a buffer that the next four calls leave alone. */
const char *test_path(const char *folder, const char *name);

void test_write(const char *path, struct span content);
/* Zero-terminated; the caller frees it. */
char *test_read(const char *path, size_t *ret_size);

/* Run the loop until *flag, at most ten seconds. */
void test_run_until(uv_loop_t *loop, const bool *flag);

/* The loop has no handle left, and closes. */
void test_close_loop(uv_loop_t *loop);

/* An RSA key of 2048 bits in <folder>/<name>.pem and its public half in <name>.pub.pem. */
void test_make_key(const char *folder, const char *name);

/* A folder with a key of its own: private, and public as it is trusted. For cmocka: *state is one.
 */
struct test_signer {
	char *folder;
	struct jws_key key;
	struct jws_key trusted;
};
int test_signer_make(void **state);
int test_signer_end(void **state);

/* xorshift64: the same numbers for the same seed. */
uint64_t test_random(uint64_t *state);

#define assert_contains(text, part)                                                                \
	do {                                                                                       \
		if (!strstr((text), (part)))                                                       \
			fail_msg("'%s' is not in '%s'", (part), (text));                           \
	} while (0)
