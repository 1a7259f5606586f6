/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <unistd.h>

char *test_folder(void)
{
	char *path = strdup("/tmp/steward-test-XXXXXX");

	assert_non_null(path);
	assert_non_null(mkdtemp(path));
	return path;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void test_folder_remove(char *path)
{
	assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(path);
}

const char *test_path(const char *folder, const char *name)
{
	static char paths[5][512];
	static unsigned at;
	char *path = paths[at++ % 5];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

void test_write(const char *path, struct span content)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(content.bytes, 1, content.size, file), content.size);
	assert_int_equal(fclose(file), 0);
}

char *test_read(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "re");
	long size;
	char *bytes;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	rewind(file);
	bytes = malloc((size_t)size + 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)size, file), size);
	bytes[size] = '\0';
	(void)fclose(file);
	if (ret_size)
		*ret_size = (size_t)size;
	return bytes;
}

static void on_too_late(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

void test_run_until(uv_loop_t *loop, const bool *flag)
{
	bool too_late = false;
	uv_timer_t limit;

	(void)uv_timer_init(loop, &limit);
	limit.data = &too_late;
	(void)uv_timer_start(&limit, on_too_late, 10000, 0);
	while (!*flag && !too_late)
		(void)uv_run(loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&limit, NULL);
	(void)uv_run(loop, UV_RUN_NOWAIT);
	assert_true(*flag);
}

void test_close_loop(uv_loop_t *loop)
{
	(void)uv_run(loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(loop), 0);
}

void test_make_key(const char *folder, const char *name)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char file[64];
	FILE *out;

	assert_non_null(key);
	(void)snprintf(file, sizeof(file), "%s.pem", name);
	out = fopen(test_path(folder, file), "we");
	assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	(void)fclose(out);
	(void)snprintf(file, sizeof(file), "%s.pub.pem", name);
	out = fopen(test_path(folder, file), "we");
	assert_int_equal(PEM_write_PUBKEY(out, key), 1);
	(void)fclose(out);
	EVP_PKEY_free(key);
}

int test_signer_make(void **state)
{
	struct test_signer *signer = calloc(1, sizeof(*signer));
	const char *key;
	const char *trusted;

	assert_non_null(signer);
	signer->folder = test_folder();
	key = test_path(signer->folder, "key.pem");
	trusted = test_path(signer->folder, "key.pub.pem");
	test_make_key(signer->folder, "key");
	assert_int_equal(jws_key_load_private(&signer->key, key, NULL), 0);
	assert_int_equal(jws_key_load_public(&signer->trusted, trusted, NULL), 0);
	*state = signer;
	return 0;
}

int test_signer_end(void **state)
{
	struct test_signer *signer = *state;

	jws_key_release(&signer->key);
	jws_key_release(&signer->trusted);
	test_folder_remove(signer->folder);
	free(signer);
	return 0;
}

uint64_t test_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
