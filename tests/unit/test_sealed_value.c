/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Values that are sealed to a node's keys: who opens them, and what of them may be changed. */
#include "support.h"

#include "base/kem.h"
#include "base/macros.h"
#include "onboarding/sealed_value.h"

#define VALUE "hunter2 und noch ein Wort"

static const struct sealed_place place = {
	.router = "router1", .path = "software-update/source/mirror/password", .version = 7};

/* As many as are asked for: of the innermost kind alone if this machine has no other. */
static void make_keys(struct sealing_keys *ret, size_t n)
{
	struct sealing_keys more;

	assert_int_equal(sealing_keys_make(ret, NULL), 0);
	assert_int_equal(ret->n, kem_is_there() ? 2 : 1);
	if (ret->n > n)
		ret->n = n;
	while (ret->n < n) {
		assert_int_equal(sealing_keys_make(&more, NULL), 0);
		ret->keys[ret->n++] = more.keys[0];
	}
}

static struct sealing_keys public_half_of(const struct sealing_keys *keys)
{
	uint8_t list[SEALING_LIST_MAX];
	struct sealing_keys public;
	struct err err;

	if (sealing_keys_parse(&public,
			       span_of(list, sealing_keys_print(keys, SEALING_PUBLIC, list)),
			       SEALING_PUBLIC, &err) < 0)
		fail_msg("%s", err.text);
	return public;
}

static struct span seal(const struct sealing_keys *keys, const char *value)
{
	uint8_t *sealed = NULL;
	size_t size = 0;
	struct err err;

	if (sealed_value_seal(keys, &place, span_of_string(value), &sealed, &size, &err) < 0)
		fail_msg("%s", err.text);
	return span_of(sealed, size);
}

/* 0: it opened, to value. Else what came; nothing was handed out. */
static int open_as(const struct sealing_keys *keys, const struct sealed_place *at,
		   struct span sealed, const char *value)
{
	char *opened = NULL;
	size_t size = 4711;
	struct err err = {0};
	int rc = sealed_value_open(keys, at, sealed, &opened, &size, &err);

	if (rc == 0) {
		assert_int_equal(size, strlen(value));
		assert_string_equal(opened, value);
		free(opened);
		return 0;
	}
	assert_int_equal(err.code, rc);
	assert_true(err.text[0]);
	assert_null(opened);
	assert_int_equal(size, 4711);
	return rc;
}

static void test_there_and_back(void **state)
{
	static const char *const values[] = {"", "x", VALUE, "key=a&token=b%2F=="};

	(void)state;
	for (size_t n = 1; n <= SEALING_KEYS_MAX; n++) {
		struct sealing_keys keys;
		struct sealing_keys public;

		make_keys(&keys, n);
		public = public_half_of(&keys);
		for (size_t i = 0; i < N_ELEMENTS(values); i++) {
			struct span sealed = seal(&public, values[i]);

			/* As the header says it. */
			if (n == 1)
				assert_int_equal(sealed.size, 5 + 9 + 80 + strlen(values[i]) + 16);
			assert_int_equal(open_as(&keys, &place, sealed, values[i]), 0);
			assert_true(sealed_value_is_for(sealed, &public));
			free((void *)(uintptr_t)sealed.bytes);
		}
	}
}

static void test_never_the_same_twice(void **state)
{
	struct sealing_keys keys;
	struct span one;
	struct span two;

	(void)state;
	make_keys(&keys, 2);
	one = seal(&keys, VALUE);
	two = seal(&keys, VALUE);
	assert_int_equal(one.size, two.size);
	/* But for the head, which says for which keys. */
	assert_memory_not_equal(one.bytes + 23, two.bytes + 23, 32);
	assert_memory_not_equal(one.bytes + one.size - 40, two.bytes + two.size - 40, 24);
	free((void *)(uintptr_t)one.bytes);
	free((void *)(uintptr_t)two.bytes);
}

static void test_each_bit_counts(void **state)
{
	struct sealing_keys keys;
	struct span sealed;
	uint8_t *bytes;

	(void)state;
	make_keys(&keys, 2);
	sealed = seal(&keys, VALUE);
	bytes = (uint8_t *)(uintptr_t)sealed.bytes;
	for (size_t bit = 0; bit < 8 * sealed.size; bit++) {
		/* X25519 does not look at the top bit of a key; the salt does. */
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(open_as(&keys, &place, sealed, VALUE), 0);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t size = 0; size < sealed.size; size++)
		assert_int_equal(open_as(&keys, &place, span_of(bytes, size), VALUE), -EBADMSG);
	assert_int_equal(open_as(&keys, &place, sealed, VALUE), 0);
	free(bytes);
}

static void test_only_in_its_place(void **state)
{
	static const struct sealed_place others[] = {
		{"router2", "software-update/source/mirror/password", 7},
		{"router1", "software-update/source/other/password", 7},
		{"router1", "software-update/source/mirror/bearer-token", 7},
		{"router1", "software-update/source/mirror/password", 8},
		{"router1", "software-update/source/mirror/password", 7 + (UINT64_C(1) << 56)},
		/* What one name loses the other gets. */
		{"router", "1software-update/source/mirror/password", 7},
	};
	struct sealing_keys keys;
	struct span sealed;

	(void)state;
	make_keys(&keys, 1);
	sealed = seal(&keys, VALUE);
	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		assert_int_equal(open_as(&keys, &others[i], sealed, VALUE), -EBADMSG);
	free((void *)(uintptr_t)sealed.bytes);
}

/* All of the keys are needed, whichever is missing. */
static void test_other_keys(void **state)
{
	struct sealing_keys keys;
	struct sealing_keys others;
	struct sealing_keys lacking;
	struct span sealed;

	(void)state;
	make_keys(&keys, 3);
	make_keys(&others, 3);
	sealed = seal(&keys, VALUE);
	assert_int_equal(open_as(&others, &place, sealed, VALUE), -ENOKEY);
	assert_false(sealed_value_is_for(sealed, &others));
	for (size_t i = 0; i < keys.n; i++) {
		lacking = keys;
		lacking.keys[i] = others.keys[i];
		assert_int_equal(open_as(&lacking, &place, sealed, VALUE), -ENOKEY);
		assert_false(sealed_value_is_for(sealed, &lacking));
		/* A private half that is not the one of its public half. */
		lacking = keys;
		memcpy(lacking.keys[i].private, others.keys[i].private,
		       sizeof(lacking.keys[i].private));
		assert_int_equal(open_as(&lacking, &place, sealed, VALUE), -EBADMSG);
	}
	lacking = public_half_of(&keys);
	assert_int_equal(open_as(&lacking, &place, sealed, VALUE), -ENOKEY);
	/* One more does no harm: what was sealed before a node had it stays of use. */
	keys.keys[keys.n++] = others.keys[0];
	assert_int_equal(open_as(&keys, &place, sealed, VALUE), 0);
	free((void *)(uintptr_t)sealed.bytes);
}

static void test_too_long(void **state)
{
	static const uint8_t bytes[SEALED_VALUE_MAX + 1];
	struct sealing_keys keys;
	uint8_t *sealed = NULL;
	struct err err;
	size_t size;

	(void)state;
	make_keys(&keys, SEALING_KEYS_MAX);
	assert_int_equal(sealed_value_seal(&keys, &place, span_of(bytes, sizeof(bytes)), &sealed,
					   &size, &err),
			 -EINVAL);
	assert_null(sealed);
	assert_int_equal(sealed_value_seal(&keys, &place, span_of(bytes, SEALED_VALUE_MAX), &sealed,
					   &size, &err),
			 0);
	assert_true(size <= SEALED_SIZE_MAX);
	assert_true(sealed_value_is_for(span_of(sealed, size), &keys));
	free(sealed);
}

/* A library that has learned a kind: what was sealed before opens still. */
static void test_completed(void **state)
{
	struct sealing_keys keys;
	struct span sealed;
	bool added = true;

	(void)state;
	make_keys(&keys, 1);
	sealed = seal(&keys, VALUE);
	assert_int_equal(sealing_keys_complete(&keys, &added, NULL), 0);
	assert_int_equal(added, kem_is_there());
	assert_int_equal(keys.n, kem_is_there() ? 2 : 1);
	assert_int_equal(open_as(&keys, &place, sealed, VALUE), 0);
	assert_int_equal(sealing_keys_complete(&keys, &added, NULL), 0);
	assert_false(added);
	free((void *)(uintptr_t)sealed.bytes);
}

/* A key that makes the same secret of every other. */
static void test_a_key_of_no_use(void **state)
{
	struct sealing_keys keys;
	uint8_t list[3 + 32] = {1, 0, 32};
	uint8_t *sealed = NULL;
	struct err err;
	size_t size;

	(void)state;
	assert_int_equal(
		sealing_keys_parse(&keys, span_of(list, sizeof(list)), SEALING_PUBLIC, &err), 0);
	assert_int_equal(
		sealed_value_seal(&keys, &place, span_of_string(VALUE), &sealed, &size, &err),
		-EBADMSG);
	assert_null(sealed);
}

static void test_lists(void **state)
{
	static const struct {
		uint8_t bytes[8];
		size_t size;
		const char *said;
	} bad[] = {
		{{0}, 0, "no key of a kind that is known"},
		{{9, 0, 1, 1}, 4, "no key of a kind that is known"},
		{{1}, 1, "1 bytes are left"},
		{{1, 0}, 2, "2 bytes are left"},
		{{1, 0, 32}, 3, "a key of 32 bytes, and 0 are there"},
		{{1, 0, 2, 0, 0}, 5, "x25519: a key of 2 bytes, expected 32"},
		{{9, 0xff, 0xff}, 3, "a key of 65535 bytes"},
	};
	struct sealing_keys keys = {.n = 4711};
	struct sealing_keys read;
	uint8_t list[SEALING_LIST_MAX];
	size_t size;
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		assert_int_equal(sealing_keys_parse(&keys, span_of(bad[i].bytes, bad[i].size),
						    SEALING_PUBLIC, &err),
				 -EBADMSG);
		assert_contains(err.text, bad[i].said);
		assert_int_equal(keys.n, 4711);
	}
	make_keys(&keys, SEALING_KEYS_MAX);
	size = sealing_keys_print(&keys, SEALING_PRIVATE, list);
	assert_int_equal(sealing_keys_parse(&read, span_of(list, size), SEALING_PRIVATE, &err), 0);
	assert_int_equal(read.n, keys.n);
	for (size_t i = 0; i < read.n; i++) {
		assert_memory_equal(read.keys[i].id, keys.keys[i].id, SEALING_ID_SIZE);
		assert_memory_equal(read.keys[i].public, keys.keys[i].public, 32);
		assert_ptr_equal(sealing_keys_find(&read, keys.keys[i].id), &read.keys[i]);
	}
	/* One more than fit, and one that is passed over. */
	memcpy(list + size, list, 35);
	assert_int_equal(sealing_keys_parse(&read, span_of(list, size + 35), SEALING_PRIVATE, &err),
			 -EBADMSG);
	assert_contains(err.text, "more than 4 keys");
	memcpy(list + size, (uint8_t[]){200, 0, 1, 77}, 4);
	assert_int_equal(sealing_keys_parse(&read, span_of(list, size + 4), SEALING_PRIVATE, &err),
			 0);
	assert_int_equal(read.n, keys.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),  cmocka_unit_test(test_never_the_same_twice),
		cmocka_unit_test(test_each_bit_counts), cmocka_unit_test(test_only_in_its_place),
		cmocka_unit_test(test_other_keys),      cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_completed),       cmocka_unit_test(test_a_key_of_no_use),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
