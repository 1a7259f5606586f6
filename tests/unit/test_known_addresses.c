/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From where routers logged in lately. */
#include "support.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/macros.h"
#include "conductor/enrolment/known_addresses.h"
#include "faults.h"

#define TODAY 20000

static const struct sockaddr *address(const char *text)
{
	static union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} made;

	memset(&made, 0, sizeof(made));
	made.any.sa_family = AF_INET;
	if (inet_pton(AF_INET, text, &made.v4.sin_addr) == 1)
		return &made.any;
	made.any.sa_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, text, &made.v6.sin6_addr), 1);
	return &made.any;
}

static void test_who_is_known(void **state)
{
	struct known_addresses *k = known_addresses_new(4711);

	(void)state;
	assert_true(known_addresses_add(k, address("192.0.2.1"), TODAY));
	assert_false(known_addresses_add(k, address("::ffff:192.0.2.1"), TODAY)); /* no news */
	assert_true(known_addresses_add(k, address("2001:db8::1"), TODAY));
	assert_false(known_addresses_add(k, address("2001:db8::2"), TODAY)); /* one /64 */
	assert_true(known_addresses_has(k, address("192.0.2.1"), TODAY));
	assert_true(known_addresses_has(k, address("2001:db8::ffff:3"), TODAY));
	assert_false(known_addresses_has(k, address("192.0.2.2"), TODAY));
	assert_false(known_addresses_has(k, address("2001:db8:0:1::1"), TODAY));
	assert_true(known_addresses_has(k, address("192.0.2.1"), TODAY + 29));
	assert_false(known_addresses_has(k, address("192.0.2.1"), TODAY + 30));
	assert_false(known_addresses_has(k, address("192.0.2.1"), TODAY - 1)); /* set back */
	assert_true(known_addresses_add(k, address("192.0.2.1"), TODAY + 1));  /* news */
	assert_false(known_addresses_add(k, &(struct sockaddr){.sa_family = AF_UNIX}, TODAY));
	assert_false(known_addresses_has(k, &(struct sockaddr){.sa_family = AF_UNIX}, TODAY));
	known_addresses_free(k);
}

static void test_text(void **state)
{
	struct known_addresses *k = known_addresses_new(4711);
	struct known_addresses *again = known_addresses_new(4712);
	char *text;

	(void)state;
	(void)known_addresses_add(k, address("192.0.2.1"), TODAY);
	(void)known_addresses_add(k, address("192.0.2.2"), TODAY - 30);
	text = known_addresses_write(k, TODAY);
	assert_string_equal(text, "::ffff:192.0.2.1 20000\n");
	known_addresses_read(again, text, TODAY);
	free(text);
	assert_true(known_addresses_has(again, address("192.0.2.1"), TODAY));
	assert_false(known_addresses_has(again, address("192.0.2.2"), TODAY));
	known_addresses_free(k);
	known_addresses_free(again);
}

static void test_other_text_is_left_out(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"192.0.2.1 20000",  /* not mapped */
		"::ffff:192.0.2.1", /* no day */
		"::ffff:192.0.2.1 ",
		"::ffff:192.0.2.1 -1",
		"::ffff:192.0.2.1 0",
		"::ffff:192.0.2.1 20001", /* to come */
		"::ffff:192.0.2.1 19970", /* too long ago */
		"::ffff:192.0.2.1 20000 x",
		"::ffff:192.0.2.1  20000",
		"::ffff:192.0.2.1 4294987296",
		"::ffff:192.0.2.1 99999999999999999999999",
		"2001:db8::1 20000", /* more than a /64 */
		"\xff\xfe 20000",
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(lines); i++) {
		struct known_addresses *k = known_addresses_new(4711);
		char text[128];
		char *written;

		(void)snprintf(text, sizeof(text), "%s\n::ffff:192.0.2.9 20000", lines[i]);
		known_addresses_read(k, text, TODAY);
		written = known_addresses_write(k, TODAY);
		if (strcmp(written, "::ffff:192.0.2.9 20000\n") != 0)
			fail_msg("row %u: %s", i, written);
		free(written);
		known_addresses_free(k);
	}
}

/* More than it holds: the newest of each place are there, and it is no larger. */
static void test_full(void **state)
{
	struct known_addresses *k = known_addresses_new(4711);
	struct sockaddr_in peer = {.sin_family = AF_INET};
	unsigned known = 0;
	char *text;

	(void)state;
	for (uint32_t day = 1; day <= 3; day++)
		for (uint32_t i = 0; i < KNOWN_ADDRESSES_MAX; i++) {
			peer.sin_addr.s_addr = htonl(day << 24 | i);
			(void)known_addresses_add(k, (struct sockaddr *)&peer, day);
		}
	for (uint32_t i = 0; i < KNOWN_ADDRESSES_MAX; i++) {
		peer.sin_addr.s_addr = htonl(3u << 24 | i);
		known += known_addresses_has(k, (struct sockaddr *)&peer, 3);
	}
	assert_true(known > KNOWN_ADDRESSES_MAX * 8 / 10);
	text = known_addresses_write(k, 3);
	assert_true(strlen(text) <= KNOWN_ADDRESSES_TEXT_MAX);
	free(text);
	known_addresses_free(k);
}

static void test_no_memory(void **state)
{
	(void)state;
	faults_fail_allocation(1);
	assert_null(known_addresses_new(1));
	assert_true(faults_had_effect());
	known_addresses_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_known),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_other_text_is_left_out),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
