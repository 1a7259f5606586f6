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
		tunnel_book_add(&book, i, name(i), SSH_KEX_NONE);
	for (unsigned i = 0; i < MANY; i += 2)
		tunnel_book_remove(&book, i);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(tunnel_book_find(&book, name(i)) != NULL, i % 2);
	tunnel_book_remove(&book, MANY + 1); /* of a session that never authenticated */
	tunnel_book_clear(&book);
	assert_null(tunnel_book_find(&book, name(1)));
	tunnel_book_add(&book, 7, name(1), SSH_KEX_NONE);
	tunnel_book_release(&book);
}

/* The end of the older session, which comes after the newer one has begun, ends nothing. */
static void test_a_key_that_comes_again(void **state)
{
	static struct tunnel_book book;

	(void)state;
	tunnel_book_init(&book);
	tunnel_book_add(&book, 1, name(1), SSH_KEX_NONE);
	tunnel_book_add(&book, 2, name(1), SSH_KEX_NONE);
	tunnel_book_remove(&book, 1);
	assert_string_equal(tunnel_book_find(&book, name(1)), "unknown");
	tunnel_book_remove(&book, 2);
	assert_null(tunnel_book_find(&book, name(1)));
	tunnel_book_release(&book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_a_key_that_comes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
