/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order in which a server's addresses are tried. */
#include "support.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/macros.h"
#include "http/http_addresses.h"

/* '1' to '9' are IPv4 addresses, 'a' to 'i' IPv6. */
static struct http_address address_of(char name)
{
	struct http_address a = {.size = sizeof(struct sockaddr_in)};
	struct sockaddr_in *four = (struct sockaddr_in *)&a.place;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a.place;

	if (name <= '9') {
		four->sin_family = AF_INET;
		four->sin_port = htons(80);
		four->sin_addr.s_addr = htonl(0xc0000200u + (uint32_t)name);
		return a;
	}
	a.size = sizeof(*six);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(80);
	six->sin6_addr.s6_addr[0] = 0x20;
	six->sin6_addr.s6_addr[15] = (uint8_t)name;
	return a;
}

static char name_of(const struct http_address *a)
{
	static const char names[] = "123456789abcdefghi";

	for (const char *name = names; *name; name++) {
		struct http_address other = address_of(*name);

		if (http_address_is(&other, a))
			return *name;
	}
	return '?';
}

static void test_order(void **state)
{
	static const struct {
		const char *resolved;
		const char *failed; /* a second after each other */
		uint64_t later_ms;
		const char *order;
	} rows[] = {
		{"12", "", 0, "12"},       /* as they came */
		{"121", "", 0, "12"},      /* once each */
		{"abc12", "", 0, "a1b2c"}, /* the families take turns */
		{"12ab", "", 0, "1a2b"},   /* beginning with the resolver's first */
		{"12", "1", 0, "21"},      /* failed: not first again */
		{"12", "1", 598999, "21"}, /* for a while */
		{"12", "1", 599000, "12"}, /* which ends */
		{"ab12", "a", 0, "b12a"},  /* of each family the ones that did not fail */
		{"ab12", "ab", 0, "12ab"}, /* */
		{"12", "12", 0, "12"},     /* all failed: as if none had */
		{"1", "1", 0, "1"},        {"", "", 0, ""},
		{"3", "12", 0, "3"}, /* another server's */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct http_address_list list = {.n = 0};
		struct http_failures failures = {0};
		uint64_t now_ms = 1000000;
		char order[ADDRESSES_MAX + 1] = "";

		for (const char *name = rows[i].resolved; *name; name++) {
			struct http_address a = address_of(*name);

			http_addresses_add(&list, &a);
		}
		for (const char *name = rows[i].failed; *name; name++, now_ms += 1000) {
			struct http_address a = address_of(*name);

			http_failures_add(&failures, &a, now_ms);
		}
		http_addresses_sort(&list, &failures, now_ms + rows[i].later_ms);
		for (unsigned n = 0; n < list.n; n++)
			order[n] = name_of(&list.items[n]);
		if (strcmp(order, rows[i].order) != 0)
			fail_msg("row %u: %s", i, order);
	}
}

static void test_served_again(void **state)
{
	struct http_failures failures = {0};
	struct http_address one = address_of('1');
	struct http_address other = address_of('2');

	(void)state;
	http_failures_add(&failures, &one, 1000);
	http_failures_remove(&failures, &other);
	assert_true(http_failures_have(&failures, &one, 1000));
	http_failures_remove(&failures, &one);
	assert_false(http_failures_have(&failures, &one, 1000));
}

/* Whatever fails, however often: nothing grows, and the newest are remembered. */
static void test_many_failures(void **state)
{
	struct http_failures failures = {0};

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct http_address a = address_of('1');

		((struct sockaddr_in *)&a.place)->sin_addr.s_addr = htonl(i);
		http_failures_add(&failures, &a, 1000 + i);
		assert_true(http_failures_have(&failures, &a, 1000 + i));
	}
	for (uint32_t i = 0; i < 1000; i++) {
		struct http_address a = address_of('1');

		((struct sockaddr_in *)&a.place)->sin_addr.s_addr = htonl(i);
		assert_true(http_failures_have(&failures, &a, 2000) ==
			    (i >= 1000 - ADDRESSES_REMEMBERED));
	}
}

static void test_list_is_bounded(void **state)
{
	struct http_address_list list = {.n = 0};

	(void)state;
	for (const char *name = "123456789abcdefghi"; *name; name++) {
		struct http_address a = address_of(*name);

		http_addresses_add(&list, &a);
	}
	assert_int_equal(list.n, ADDRESSES_MAX);
}

static void test_text(void **state)
{
	struct http_address a = address_of('a');
	char text[64];

	(void)state;
	http_address_text(&a, text, sizeof(text));
	assert_string_equal(text, "2000::61 port 80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),         cmocka_unit_test(test_served_again),
		cmocka_unit_test(test_many_failures), cmocka_unit_test(test_list_is_bounded),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
