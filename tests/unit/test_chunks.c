/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where bytes are cut, and what an index may say. The vectors are from a program in Python that was
 * written after docs/download.md alone. */
#include "faults.h"
#include "support.h"

#include "base/hex.h"
#include "base/macros.h"
#include "download/image/chunk_index.h"
#include "download/image/chunk_maker.h"

static uint8_t *random_bytes(size_t n, uint64_t seed)
{
	uint8_t *bytes = malloc(n);

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)test_random(&seed);
	return bytes;
}

/* Feeds the bytes in parts of `part`, and returns what the maker made; the caller releases it. */
static struct span make(struct chunk_maker *maker, struct span bytes, size_t part,
			uint8_t ret_sha256[DIGEST_SIZE])
{
	struct span index;
	struct err err = {0};

	assert_int_equal(chunk_maker_init(maker, &err), 0);
	for (size_t at = 0; at < bytes.size; at += part)
		assert_int_equal(
			chunk_maker_feed(
				maker, span_of(bytes.bytes + at, MIN(part, bytes.size - at)), &err),
			0);
	assert_int_equal(chunk_maker_end(maker, &index, ret_sha256, &err), 0);
	return index;
}

static void make_and_parse(struct chunk_index *ret, struct span bytes)
{
	struct chunk_maker maker;
	uint8_t sha256[DIGEST_SIZE];
	struct err err = {0};
	struct span made = make(&maker, bytes, bytes.size, sha256);

	assert_int_equal(chunk_index_parse(ret, made, bytes.size, &err), 0);
	chunk_maker_release(&maker);
}

static void test_gear(void **state)
{
	struct chunk_gear gear;

	(void)state;
	assert_int_equal(chunk_gear_make(&gear, NULL), 0);
	assert_true(gear.of[0] == UINT64_C(0xa9d9c50e29b3789c));
	assert_true(gear.of[1] == UINT64_C(0xdee08e4f83b35a19));
	assert_true(gear.of[255] == UINT64_C(0x31f8ab412351ac8b));
}

/* The same index, however the bytes come. */
static void test_vector(void **state)
{
	static const size_t parts[] = {1u << 20, 3000000, 4096, 65537, 1048577};
	uint8_t *bytes = random_bytes(3000000, 4711);

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(parts); i++) {
		struct chunk_maker maker;
		uint8_t sha256[DIGEST_SIZE];
		char hex[2 * DIGEST_SIZE + 1];
		struct span index = make(&maker, span_of(bytes, 3000000), parts[i], sha256);

		hex_encode(span_of(sha256, DIGEST_SIZE), hex);
		assert_int_equal(index.size, 20 + 45 * 20);
		assert_string_equal(
			hex, "bf395a0bdeeabe7fc9aa5a8b442f4b0b6fcd6fbb93110e74cfc03f272a71d7cc");
		chunk_maker_release(&maker);
	}
	free(bytes);
}

/* Bytes without any difference are cut at the most; the end alone makes a chunk short. */
static void test_lengths(void **state)
{
	static const struct {
		size_t size;
		uint32_t lengths[3];
	} rows[] = {
		{1, {1}},
		{CHUNK_MIN - 1, {CHUNK_MIN - 1}},
		{CHUNK_MIN, {CHUNK_MIN}},
		{CHUNK_MIN + 1, {CHUNK_MIN + 1}},
		{CHUNK_MAX, {CHUNK_MAX}},
		{CHUNK_MAX + 1, {CHUNK_MAX, 1}},
		{600000, {CHUNK_MAX, CHUNK_MAX, 600000 - 2 * CHUNK_MAX}},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		uint8_t *zeros = calloc(rows[i].size, 1);
		struct chunk_index index;

		make_and_parse(&index, span_of(zeros, rows[i].size));
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(k < index.n ? index.chunks[k].length : 0,
					 rows[i].lengths[k]);
		chunk_index_release(&index);
		free(zeros);
	}
}

static void test_average(void **state)
{
	const size_t size = 16u << 20;
	uint8_t *bytes = random_bytes(size, 5);
	struct chunk_index index;

	(void)state;
	make_and_parse(&index, span_of(bytes, size));
	assert_in_range(size / index.n, CHUNK_AVERAGE - 4096, CHUNK_AVERAGE + 4096);
	chunk_index_release(&index);
	free(bytes);
}

static unsigned count_known(const struct chunk_index *in, const struct chunk_index *of)
{
	unsigned known = 0;

	for (uint32_t i = 0; i < in->n; i++)
		for (uint32_t k = 0; k < of->n; k++)
			if (memcmp(in->chunks[i].digest, of->chunks[k].digest, CHUNK_DIGEST_SIZE) ==
			    0) {
				known++;
				break;
			}
	return known;
}

/* What was moved by a byte is cut as before: that is what chunks are for. */
static void test_a_byte_more(void **state)
{
	const size_t size = 4u << 20;
	uint8_t *bytes = random_bytes(size + 1, 6);
	struct chunk_index before;
	struct chunk_index after;

	(void)state;
	make_and_parse(&before, span_of(bytes + 1, size));
	make_and_parse(&after, span_of(bytes, size + 1));
	assert_true(count_known(&after, &before) + 2 >= after.n);
	chunk_index_release(&before);
	chunk_index_release(&after);
	free(bytes);
}

struct lie {
	const char *name;
	uint32_t lengths[4]; /* of the chunks, up to the first 0 after which none comes */
	unsigned n;
	uint64_t image_size;
	const char *reason; /* NULL = it is taken */
};

static int parse_lie(const struct lie *lie, struct err *err)
{
	static const uint8_t digest[CHUNK_DIGEST_SIZE] = {1};
	uint8_t bytes[CHUNK_INDEX_HEAD_SIZE + 4 * CHUNK_ENTRY_SIZE];
	struct chunk_index index = {.n = 4711};
	int rc;

	chunk_index_put_head(bytes);
	for (unsigned i = 0; i < lie->n; i++)
		chunk_index_put_entry(bytes + CHUNK_INDEX_HEAD_SIZE + (size_t)i * CHUNK_ENTRY_SIZE,
				      lie->lengths[i], digest);
	rc = chunk_index_parse(
		&index, span_of(bytes, CHUNK_INDEX_HEAD_SIZE + (size_t)lie->n * CHUNK_ENTRY_SIZE),
		lie->image_size, err);
	if (rc == 0)
		chunk_index_release(&index);
	else
		assert_int_equal(index.n, 4711);
	return rc;
}

static void test_lies(void **state)
{
	static const struct lie rows[] = {
		{"good", {CHUNK_MIN, CHUNK_MAX, 1}, 3, CHUNK_MIN + CHUNK_MAX + 1, NULL},
		{"none", {0}, 0, 5, "there is at least one"},
		{"zero", {0, 5}, 2, 5, "chunk 0 of 0 bytes, expected 16384 to 262144"},
		{"zero at the end", {CHUNK_MIN, 0}, 2, CHUNK_MIN, "chunk 1 of 0 bytes"},
		{"too short", {CHUNK_MIN - 1, 7}, 2, CHUNK_MIN + 6, "chunk 0 of 16383 bytes"},
		{"too long", {CHUNK_MAX + 1}, 1, CHUNK_MAX + 1, "chunk 0 of 262145 bytes"},
		{"2^32 - 1", {UINT32_MAX}, 1, UINT64_C(1) << 40, "chunk 0 of 4294967295 bytes"},
		{"wraps round",
		 {CHUNK_MIN, UINT32_MAX - CHUNK_MIN + 2},
		 2,
		 1,
		 "only 1 bytes of the image are left"},
		{"beyond the image", {CHUNK_MIN, CHUNK_MIN}, 2, CHUNK_MIN + 9, "only 9 bytes"},
		{"short of the image",
		 {CHUNK_MIN, CHUNK_MIN},
		 2,
		 CHUNK_MIN * 3,
		 "the chunks have 32768 bytes, the image 49152"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		int rc = parse_lie(&rows[i], &err);

		if ((rc == 0) != !rows[i].reason)
			fail_msg("%s: %d %s", rows[i].name, rc, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
	}
}

/* Each byte of the head counts, and an index that is cut anywhere is refused. */
static void test_head(void **state)
{
	static const uint8_t digest[CHUNK_DIGEST_SIZE];
	uint8_t bytes[CHUNK_INDEX_HEAD_SIZE + CHUNK_ENTRY_SIZE];
	struct chunk_index index;
	struct err err;

	(void)state;
	chunk_index_put_head(bytes);
	chunk_index_put_entry(bytes + CHUNK_INDEX_HEAD_SIZE, 9, digest);
	for (unsigned i = 0; i < CHUNK_INDEX_HEAD_SIZE; i++) {
		bytes[i] ^= 1;
		assert_int_equal(chunk_index_parse(&index, span_of(bytes, sizeof(bytes)), 9, &err),
				 -EBADMSG);
		assert_contains(err.text, i < 8 ? "does not begin" : "(least, average, most)");
		bytes[i] ^= 1;
	}
	for (size_t n = 0; n < sizeof(bytes); n++)
		assert_int_equal(chunk_index_parse(&index, span_of(bytes, n), 9, &err), -EBADMSG);
	assert_int_equal(chunk_index_parse(&index, span_of(bytes, CHUNK_INDEX_MAX + 1), 9, &err),
			 -E2BIG); /* before it is read */
	assert_int_equal(chunk_index_parse(&index, span_of(bytes, sizeof(bytes)), 9, &err), 0);
	chunk_index_release(&index);
}

/* An image of so many chunks has no index. */
static void test_too_many_chunks(void **state)
{
	static const uint8_t zeros[100];
	struct chunk_maker maker;
	uint8_t sha256[DIGEST_SIZE];
	struct span index;
	struct err err = {0};

	(void)state;
	assert_int_equal(chunk_maker_init(&maker, &err), 0);
	maker.index_size = CHUNK_INDEX_MAX - CHUNK_ENTRY_SIZE + 1;
	assert_int_equal(chunk_maker_feed(&maker, span_of(zeros, sizeof(zeros)), &err), 0);
	assert_int_equal(chunk_maker_end(&maker, &index, sha256, &err), -E2BIG);
	assert_contains(err.text, "longer than 16777216 bytes");
	chunk_maker_release(&maker);
}

static int make_index(struct span bytes, struct chunk_index *ret)
{
	struct chunk_maker maker = {0};
	uint8_t sha256[DIGEST_SIZE];
	struct span made = {0};
	struct err err;
	int rc = chunk_maker_init(&maker, &err);

	if (rc == 0)
		rc = chunk_maker_feed(&maker, bytes, &err);
	if (rc == 0)
		rc = chunk_maker_end(&maker, &made, sha256, &err);
	if (rc == 0)
		rc = chunk_index_parse(ret, made, bytes.size, &err);
	chunk_maker_release(&maker);
	return rc;
}

static void test_memory_runs_out(void **state)
{
	uint8_t *zeros = calloc(1, CHUNK_MAX);
	struct chunk_index index = {0};
	unsigned n = 0;
	int rc;

	(void)state;
	do {
		faults_fail_allocation(++n);
		rc = make_index(span_of(zeros, CHUNK_MAX), &index);
		assert_int_equal(rc == 0, !faults_had_effect());
	} while (rc < 0);
	assert_int_equal(n, 4); /* window, index, what is parsed; the fourth is none */
	chunk_index_release(&index);
	free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gear),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_average),
		cmocka_unit_test(test_a_byte_more),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_too_many_chunks),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
