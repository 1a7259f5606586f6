/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a version is: made, signed, read back; and whatever does not fit is refused as a whole. */
#include "faults.h"
#include "support.h"

#include <sys/stat.h>

#include "base/macros.h"
#include "download/image/chunk_index.h"
#include "download/image/manifest.h"
#include "download/image/manifest_create.h"

#define PIECE (64u << 10)

static void write_image(const struct test_signer *w, const char *name, size_t size)
{
	uint8_t *bytes = malloc(size);
	uint64_t random = 99;

	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)test_random(&random);
	test_write(test_path(w->folder, name), span_of(bytes, size));
	free(bytes);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} rows[] = {
		{"SSR-7.1.3-1", true},
		{"a", true},
		{"6.2.0+r1_x", true},
		{"", false},
		{".", false},
		{"..", false},
		{".hidden", false},
		{"-v", false},
		{"../etc", false},
		{"a/b", false},
		{"a\\b", false},
		{"a b", false},
		{"a\n", false},
		{"a#", false},
		{"a%2e", false},
		{"\xc3\xa4", false},
		{"v1", false},         /* would be a route */
		{"metrics", false},    /* likewise */
		{"index.json", false}, /* would be the repository's index */
		{"manifest.jws", false},
		{"pieces", false}, /* would be the journal */
		{"pieces1", true},
	};
	char name[MANIFEST_NAME_SIZE + 1];

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (manifest_name_is_valid(rows[i].name) != rows[i].valid)
			fail_msg("'%s'", rows[i].name);
	memset(name, 'a', sizeof(name));
	name[MANIFEST_NAME_SIZE - 1] = '\0';
	assert_true(manifest_name_is_valid(name)); /* 128 */
	name[MANIFEST_NAME_SIZE - 1] = 'a';
	name[MANIFEST_NAME_SIZE] = '\0';
	assert_false(manifest_name_is_valid(name));
}

static void test_made_signed_read(void **state)
{
	struct test_signer *w = *state;
	struct manifest made;
	struct manifest read;
	struct err err;
	char *jws;

	write_image(w, "image.iso", 3 * PIECE + 5);
	assert_int_equal(manifest_of_file(&made, test_path(w->folder, "image.iso"), "V1", PIECE, 42,
					  NULL, &err),
			 0);
	assert_int_equal(made.n_pieces, 4);
	assert_int_equal(manifest_piece_length(&made, 3), 5);
	assert_int_equal(manifest_piece_first(&made, 3), 3 * PIECE);
	assert_int_equal(manifest_sign(&made, &w->key, &jws, &err), 0);
	assert_int_equal(manifest_parse(&read, &w->trusted, 1, span_of_string(jws), "V1", &err), 0);
	assert_string_equal(read.file, "image.iso");
	assert_int_equal(read.size, made.size);
	assert_int_equal(read.created, 42);
	assert_memory_equal(read.digest, made.digest, DIGEST_SIZE);
	assert_memory_equal(read.pieces, made.pieces, 4 * DIGEST_SIZE);
	manifest_release(&read);
	assert_int_equal(manifest_parse(&read, &w->trusted, 1, span_of_string(jws), "V2", &err),
			 -EPROTO);
	assert_contains(err.text, "of version V1, expected V2");
	assert_int_equal(manifest_parse(&read, NULL, 0, span_of_string(jws), "V1", &err),
			 -EKEYREJECTED);
	manifest_release(&made);
	free(jws);
}

/* The same image, signed again later, is the same; any other is not. */
static void test_identity(void **state)
{
	struct test_signer *w = *state;
	struct manifest m;
	uint8_t digest[DIGEST_SIZE];

	write_image(w, "image.iso", 2 * PIECE);
	assert_int_equal(manifest_of_file(&m, test_path(w->folder, "image.iso"), "V1", PIECE, 42,
					  NULL, NULL),
			 0);
	memcpy(digest, m.digest, DIGEST_SIZE);
	m.created++;
	assert_int_equal(manifest_set_digest(&m, NULL), 0);
	assert_memory_equal(m.digest, digest, DIGEST_SIZE);
	(void)strcpy(m.chunks.file, "image.iso.chunks");
	m.chunks.size = 40;
	assert_int_equal(manifest_set_digest(&m, NULL), 0);
	assert_memory_equal(m.digest, digest, DIGEST_SIZE);
	m.pieces[1][31] ^= 1;
	assert_int_equal(manifest_set_digest(&m, NULL), 0);
	assert_memory_not_equal(m.digest, digest, DIGEST_SIZE);
	manifest_release(&m);
}

#define SHA "\"sha256\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
#define D1  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* 32 bytes */

#define WITH_CHUNKS(chunks)                                                                        \
	"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA                                       \
	",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1,\"chunks\":" chunks "}"

static void test_refused(void **state)
{
	static const struct {
		const char *payload;
		const char *reason; /* NULL = it is taken */
	} rows[] = {
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 NULL},
		{"{\"version\":\"../V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "\"version\": '../V1' is not a name"},
		{"{\"version\":\"V1\",\"file\":\"../../etc/passwd\",\"size\":1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "\"file\": '../../etc/passwd' is not a name"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":0," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "no bytes"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":-1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "\"size\": expected a whole number"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":18446744073709551615," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "\"size\": expected a whole number"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":9007199254740991," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "expected 137438953472 digests"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":65537," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "expected 2 digests"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"AAAA\",\"created\":1}",
		 "3 bytes, expected 1 digests"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"A+/=\",\"created\":1}",
		 "not base64url"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":32768,\"pieces\":\"" D1 "\",\"created\":1}",
		 "power of two from 65536 to 16777216"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":100000,\"pieces\":\"" D1 "\",\"created\":1}",
		 "power of two"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":33554432,\"pieces\":\"" D1 "\",\"created\":1}",
		 "power of two"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1,\"sha256\":\"0123\",\"piece-size\""
		 ":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "64 lower-case hex digits"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1,\"sha256\":"
		 "\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\","
		 "\"piece-size\":65536,\"pieces\":\"" D1 "\",\"created\":1}",
		 "64 lower-case hex digits"},
		{"{\"version\":\"V1\",\"file\":\"f\",\"size\":1," SHA
		 ",\"piece-size\":65536,\"pieces\":\"" D1 "\"}",
		 "\"created\""},
		{"{\"file\":\"f\",\"size\":1," SHA ",\"piece-size\":65536,\"pieces\":\"" D1
		 "\",\"created\":1}",
		 "\"version\": expected a string"},
		{WITH_CHUNKS("{\"file\":\"f.chunks\",\"size\":40," SHA "}"), NULL},
		{WITH_CHUNKS("null"), NULL},
		{WITH_CHUNKS("[]"), "\"chunks\": expected an object"},
		{WITH_CHUNKS("{\"file\":\"../x\",\"size\":40," SHA "}"),
		 "\"chunks\": \"file\": '../x' is not a name"},
		{WITH_CHUNKS("{\"file\":\"manifest.jws\",\"size\":40," SHA "}"), "is not a name"},
		{WITH_CHUNKS("{\"file\":\"f\",\"size\":40," SHA "}"), "'f' is the image itself"},
		{WITH_CHUNKS("{\"file\":\"c\",\"size\":0," SHA "}"), "an index of no bytes"},
		{WITH_CHUNKS("{\"file\":\"c\",\"size\":16777217," SHA "}"),
		 "\"chunks\": \"size\": expected a whole number"},
		{WITH_CHUNKS("{\"file\":\"c\",\"size\":40,\"sha256\":\"00\"}"),
		 "64 lower-case hex digits"},
		{WITH_CHUNKS("{\"file\":\"c\",\"size\":40}"), "\"sha256\": expected a string"},
		{"[]", "expected a JSON object"},
	};
	struct test_signer *w = *state;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct manifest m = {.size = 4711};
		struct err err = {0};
		char *jws;
		int rc;

		assert_int_equal(jws_sign(&w->key, MANIFEST_TYP, span_of_string(rows[i].payload),
					  &jws, NULL),
				 0);
		rc = manifest_parse(&m, &w->trusted, 1, span_of_string(jws), "V1", &err);
		free(jws);
		if (rc == 0) {
			manifest_release(&m);
			assert_null(rows[i].reason);
			continue;
		}
		if (!rows[i].reason)
			fail_msg("row %u: %s", i, err.text);
		assert_contains(err.text, rows[i].reason);
		assert_int_equal(m.size, 4711);
		assert_null(m.pieces);
	}
}

/* 65536 pieces are the most that fit; their manifest is within the limit on its size. */
static void test_largest(void **state)
{
	struct test_signer *w = *state;
	const char *path = test_path(w->folder, "large.iso");
	struct manifest m;
	struct manifest read;
	struct err err;
	char *jws;

	test_write(path, span_of("x", 1));
	assert_int_equal(truncate(path, (off_t)65536 * PIECE), 0);
	assert_int_equal(manifest_of_file(&m, path, "V1", 1u << 20, 42, NULL, &err), 0);
	assert_int_equal(m.n_pieces, 4096);
	/* As if it were of small pieces, without hashing them all. */
	free(m.pieces);
	m.piece_size = PIECE;
	m.n_pieces = 65536;
	m.pieces = calloc(65536, DIGEST_SIZE);
	assert_int_equal(manifest_sign(&m, &w->key, &jws, &err), 0);
	assert_true(strlen(jws) <= MANIFEST_SIZE_MAX);
	assert_int_equal(manifest_parse(&read, &w->trusted, 1, span_of_string(jws), "V1", &err), 0);
	assert_int_equal(read.n_pieces, 65536);
	manifest_release(&read);
	manifest_release(&m);
	free(jws);
	assert_int_equal(truncate(path, (off_t)65536 * PIECE + 1), 0);
	assert_int_equal(manifest_of_file(&m, path, "V1", PIECE, 42, NULL, &err), -E2BIG);
	assert_contains(err.text, "use a larger piece-size");
}

static void test_too_long(void **state)
{
	struct test_signer *w = *state;
	size_t size = MANIFEST_SIZE_MAX + 1;
	char *bytes = malloc(size);
	struct manifest m;
	struct err err;

	assert_non_null(bytes);
	memset(bytes, 'A', size);
	assert_int_equal(manifest_parse(&m, &w->trusted, 1, span_of(bytes, size), "V1", &err),
			 -E2BIG);
	free(bytes);
}

static void test_create(void **state)
{
	struct err without;
	struct test_signer *w = *state;
	const char *image = test_path(w->folder, "image.iso");
	char out[512];
	char key[512];
	struct stat made;
	struct stat given;
	struct err err;
	char *index;

	(void)snprintf(out, sizeof(out), "%s/out", w->folder);
	(void)snprintf(key, sizeof(key), "%s/key.pem", w->folder);
	write_image(w, "image.iso", 5 * PIECE);
	assert_int_equal(manifest_create(image, "V1", key, PIECE, out, &without, &err), 0);
	assert_int_equal(manifest_create(image, "V1", key, PIECE, out, &without, &err), -EEXIST);
	assert_contains(err.text, "is there already");
	assert_int_equal(manifest_create(image, "V0", key, 0, out, &without, &err), 0);
	assert_int_equal(manifest_create(image, "../V", key, 0, out, &without, &err), -EINVAL);
	assert_int_equal(manifest_create(image, "V2", key, 100000, out, &without, &err), -EINVAL);
	assert_int_equal(
		manifest_create(test_path(w->folder, "none"), "V2", key, 0, out, &without, &err),
		-ENOENT);
	index = test_read(test_path(out, "index.json"), NULL);
	assert_string_equal(index,
			    "{\"versions\":[{\"version\":\"V0\",\"manifest\":\"V0/manifest.jws\"},"
			    "{\"version\":\"V1\",\"manifest\":\"V1/manifest.jws\"}]}");
	free(index);
	assert_int_equal(stat(test_path(out, "V1/image.iso"), &made), 0);
	assert_int_equal(stat(image, &given), 0);
	assert_int_equal(made.st_ino, given.st_ino); /* linked, not copied */
	assert_int_equal(access(test_path(out, "V2"), F_OK), -1);
}

/* The index is beside the image, and the manifest says so. */
static void test_create_with_chunks(void **state)
{
	struct test_signer *w = *state;
	struct err without;
	struct manifest m;
	struct chunk_index chunks;
	uint8_t sha256[DIGEST_SIZE];
	char out[512];
	char key[512];
	struct err err;
	char *text;
	size_t size;

	(void)snprintf(out, sizeof(out), "%s/out", w->folder);
	(void)snprintf(key, sizeof(key), "%s/key.pem", w->folder);
	write_image(w, "image.iso", 9 * PIECE + 7);
	assert_int_equal(manifest_create(test_path(w->folder, "image.iso"), "V1", key, 0, out,
					 &without, &err),
			 0);
	assert_int_equal(without.code, 0);
	text = test_read(test_path(out, "V1/manifest.jws"), &size);
	assert_int_equal(manifest_parse(&m, &w->trusted, 1, span_of(text, size), "V1", &err), 0);
	free(text);
	assert_string_equal(m.chunks.file, "image.iso.chunks");
	text = test_read(test_path(out, "V1/image.iso.chunks"), &size);
	assert_int_equal(m.chunks.size, size);
	assert_int_equal(EVP_Digest(text, size, sha256, NULL, EVP_sha256(), NULL), 1);
	assert_memory_equal(m.chunks.sha256, sha256, DIGEST_SIZE);
	assert_int_equal(chunk_index_parse(&chunks, span_of(text, size), m.size, &err), 0);
	chunk_index_release(&chunks);
	free(text);
	manifest_release(&m);
}

/* Where its name has no room, the image goes without. */
static void test_create_without_chunks(void **state)
{
	struct test_signer *w = *state;
	char name[MANIFEST_NAME_SIZE];
	struct err without;
	char out[512];
	char key[512];
	struct err err;

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 7] = '\0';
	(void)snprintf(out, sizeof(out), "%s/out", w->folder);
	(void)snprintf(key, sizeof(key), "%s/key.pem", w->folder);
	write_image(w, name, PIECE);
	assert_int_equal(
		manifest_create(test_path(w->folder, name), "V1", key, 0, out, &without, &err), 0);
	assert_contains(without.text, "too long");
	name[sizeof(name) - 8] = '\0'; /* one less: there is room */
	write_image(w, name, PIECE);
	assert_int_equal(
		manifest_create(test_path(w->folder, name), "V2", key, 0, out, &without, &err), 0);
	assert_int_equal(without.code, 0);
}

static void test_memory_runs_out(void **state)
{
	struct test_signer *w = *state;
	struct manifest m;
	struct err err;
	char *jws = NULL;
	unsigned n = 0;
	int rc;

	write_image(w, "image.iso", 3 * PIECE);
	assert_int_equal(manifest_of_file(&m, test_path(w->folder, "image.iso"), "V1", PIECE, 42,
					  NULL, &err),
			 0);
	do {
		free(jws);
		jws = NULL;
		faults_fail_allocation(++n);
		rc = manifest_sign(&m, &w->key, &jws, &err);
		assert_int_equal(rc == 0, !faults_had_effect());
	} while (rc < 0);
	assert_true(n > 10);
	manifest_release(&m);
	n = 0;
	do {
		struct manifest read = {0};

		faults_fail_allocation(++n);
		rc = manifest_parse(&read, &w->trusted, 1, span_of_string(jws), "V1", &err);
		assert_int_equal(rc == 0, !faults_had_effect());
		manifest_release(&read);
	} while (rc < 0);
	assert_true(n > 10);
	free(jws);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_made_signed_read, test_signer_make,
						test_signer_end),
		cmocka_unit_test_setup_teardown(test_identity, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_refused, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_largest, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_too_long, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_create, test_signer_make, test_signer_end),
		cmocka_unit_test_setup_teardown(test_create_with_chunks, test_signer_make,
						test_signer_end),
		cmocka_unit_test_setup_teardown(test_create_without_chunks, test_signer_make,
						test_signer_end),
		cmocka_unit_test_setup_teardown(test_memory_runs_out, test_signer_make,
						test_signer_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
