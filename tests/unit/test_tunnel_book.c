/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which tunnels stand: of many, of keys that come again, of ids that are used again. */
#include "support.h"

#include "conductord/tunnel_book.h"

#define MANY 20000u /* several in each bucket */

static const char *name(unsigned number)
{
	static char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];

	(void)snprintf(fingerprint, sizeof(fingerprint), "%08ukey", number);
	return fingerprint;
}

static void test_many(void **state)
{
	static struct tunnel_book book;

	(void)state;
	tunnel_book_init(&book);
	for (unsigned i = 0; i < MANY; i++)
		tunnel_book_add(&book, i, name(i), SSH_KEX_NONE, 0);
	for (unsigned i = 0; i < MANY; i += 2)
		tunnel_book_remove(&book, i);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(tunnel_book_find(&book, name(i)) != NULL, i % 2);
	tunnel_book_remove(&book, MANY + 1); /* of a session that never authenticated */
	tunnel_book_clear(&book);
	assert_null(tunnel_book_find(&book, name(1)));
	tunnel_book_add(&book, 7, name(1), SSH_KEX_NONE, 0);
	tunnel_book_release(&book);
}

/* The end of the older session, which comes after the newer one has begun, ends nothing. */
static void test_a_key_that_comes_again(void **state)
{
	static struct tunnel_book book;

	(void)state;
	tunnel_book_init(&book);
	tunnel_book_add(&book, 1, name(1), SSH_KEX_NONE, 0);
	tunnel_book_add(&book, 2, name(1), SSH_KEX_NONE, 0);
	tunnel_book_remove(&book, 1);
	assert_string_equal(tunnel_book_find(&book, name(1)), "unknown");
	tunnel_book_remove(&book, 2);
	assert_null(tunnel_book_find(&book, name(1)));
	tunnel_book_release(&book);
}

/* Each row is a time at which the key comes. */
static void test_two_machines_with_one_key(void **state)
{
	static const struct {
		int64_t at_s;
		bool is_told;
	} rows[] = {
		{1000, false}, /* the first tunnel */
		{1001, false},
		{1003, false},
		{1007, false},
		{1015, false},
		{1031, true},
		/* Once. */
		{1063, false},
		{1095, false},
		{1127, false},
		{5000, false},
		{5001, false},
		{5002, false},
		{5003, false},
		{5004, false},
		{5005, false},
	};
	static struct tunnel_book book;
	uint32_t id = 0;

	(void)state;
	tunnel_book_init(&book);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tunnel_book_add(&book, id++, name(1), SSH_KEX_NONE, rows[i].at_s),
				 rows[i].is_told);
	/* It has ended by itself, and begins anew. A router that comes back now and then is one. */
	tunnel_book_remove(&book, id - 1);
	for (unsigned i = 0; i < 20; i++)
		assert_false(tunnel_book_add(&book, id++, name(1), SSH_KEX_NONE,
					     9000 + (int64_t)i * 40));
	tunnel_book_release(&book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_a_key_that_comes_again),
		cmocka_unit_test(test_two_machines_with_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
