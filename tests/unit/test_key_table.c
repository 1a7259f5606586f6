/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys by port, fingerprint and router, with places that are left and taken again. */
#include "support.h"

#include "base/macros.h"
#include "conductor/tunnels/key_table.h"

#define MANY 40000u /* several in each bucket */

static struct authorized_key make_key(unsigned number, uint16_t port)
{
	struct authorized_key key = {.listen_port = port};

	memcpy(key.blob, &number, sizeof(number));
	return key;
}

static void name_router(unsigned number, char ret[TOKEN_NAME_SIZE])
{
	(void)snprintf(ret, TOKEN_NAME_SIZE, "r%u", number / 2); /* two nodes each */
}

static uint32_t add(struct key_table *t, unsigned number)
{
	const struct authorized_key key = make_key(number, (uint16_t)(10000 + number));
	char router[TOKEN_NAME_SIZE];

	name_router(number, router);
	return key_table_add(t, &key, router);
}

static uint32_t find(const struct key_table *t, unsigned number)
{
	const struct authorized_key key = make_key(number, 1);
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];

	authorized_key_fingerprint(key.blob, fingerprint);
	return key_table_of_fingerprint(t, fingerprint);
}

static unsigned count_of_router(const struct key_table *t, unsigned number)
{
	uint32_t place = KEY_TABLE_NONE;
	char router[TOKEN_NAME_SIZE];
	unsigned n = 0;

	name_router(number, router);
	while ((place = key_table_of_router(t, router, place)) != KEY_TABLE_NONE) {
		assert_string_equal(key_table_at(t, place)->router, router);
		n++;
	}
	return n;
}

static void test_many(void **state)
{
	struct key_table *t = key_table_new();

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(add(t, i), i);
	for (unsigned i = 0; i < MANY; i += 3) {
		assert_int_equal(find(t, i), i);
		assert_int_equal(key_table_of_port(t, (uint16_t)(10000 + i)), i);
		assert_int_equal(count_of_router(t, i), 2);
	}
	/* Every third goes: who is left is found as before. */
	for (unsigned i = 0; i < MANY; i += 3)
		key_table_remove(t, find(t, i));
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(find(t, i), i % 3 ? i : KEY_TABLE_NONE);
		assert_int_equal(key_table_of_port(t, (uint16_t)(10000 + i)),
				 i % 3 ? i : KEY_TABLE_NONE);
	}
	assert_int_equal(count_of_router(t, 0), 1); /* of nodes 0 and 1 */
	assert_int_equal(count_of_router(t, 4), 2); /* of nodes 4 and 5 */
	/* Their places are taken again before a new one is made. */
	for (unsigned i = 0; i < MANY; i += 3) {
		uint32_t next = key_table_next_place(t);

		assert_int_equal(add(t, i), next);
	}
	assert_int_equal(key_table_n_places(t), MANY);
	assert_int_equal(key_table_next_place(t), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_memory_equal(key_table_at(t, find(t, i))->key.blob, make_key(i, 1).blob,
				    SSH_KEY_ED25519_SIZE);
	key_table_free(t);
}

static void test_none(void **state)
{
	struct key_table *t = key_table_new();

	(void)state;
	assert_int_equal(key_table_n_places(NULL), 0);
	assert_int_equal(key_table_of_fingerprint(NULL, "x"), KEY_TABLE_NONE);
	assert_int_equal(find(t, 1), KEY_TABLE_NONE);
	assert_int_equal(count_of_router(t, 1), 0);
	key_table_free(t);
	key_table_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
