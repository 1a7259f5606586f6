/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may: root, the group, the group that reads; nobody over TCP. */
#include "support.h"

#include "base/macros.h"
#include "http/peer_access.h"

static void test_rows(void **state)
{
	static const struct {
		bool local;
		uid_t uid;
		gid_t groups[3];
		bool reads;
		bool changes;
	} rows[] = {
		{true, 0, {0, 1, 2}, true, true}, /* root */
		{true, 1000, {1000, 1, 2}, false, false},
		{true, 1000, {50, 1, 2}, true, true},    /* the group, as primary one */
		{true, 1000, {1000, 1, 50}, true, true}, /* or another */
		{true, 1000, {1000, 60, 2}, true, false},
		{true, 1000, {60, 50, 2}, true, true},
		{false, 0, {0, 50, 60}, false, false}, /* TCP says nothing about who it is */
	};
	static const struct peer_access access = {
		.has_group = true, .has_read_group = true, .group = 50, .read_group = 60};
	static const struct peer_access none = {.group = 1000, .read_group = 1000};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct http_peer peer = {.is_local = rows[i].local,
					 .uid = rows[i].uid,
					 .groups = rows[i].groups,
					 .n_groups = 3};

		if (peer_access_allows(&access, &peer, HTTP_READS) != rows[i].reads ||
		    peer_access_allows(&access, &peer, HTTP_CHANGES) != rows[i].changes)
			fail_msg("row %u", i);
		assert_int_equal(peer_access_allows(&none, &peer, HTTP_READS),
				 rows[i].local && rows[i].uid == 0);
	}
}

static void test_groups_are_looked_up(void **state)
{
	struct config_control control = {.group = (char[]){"root"}, .read_group = (char[]){"bin"}};
	struct peer_access access;
	struct err warning;

	(void)state;
	peer_access_init(&access, &control, &warning);
	assert_true(access.has_group && access.has_read_group);
	assert_int_equal(access.group, 0);
	assert_int_equal(warning.code, 0);
	control.read_group = (char[]){"no-such-group"};
	peer_access_init(&access, &control, &warning);
	assert_true(access.has_group && !access.has_read_group);
	assert_contains(warning.text, "no no-such-group");
	control.group = (char[]){"nor-this-one"};
	peer_access_init(&access, &control, &warning);
	assert_contains(warning.text, "no nor-this-one and no no-such-group");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_groups_are_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
