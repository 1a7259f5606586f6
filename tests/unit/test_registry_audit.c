/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The audit, the counters of strangers, and what strangers write. */
#include "registry_lists.h"
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"

static void test_audit_order(struct registry_world *w)
{
	struct registry *other = registry_world_open(w, "c1");
	struct registry_event event = {.outcome = REGISTRY_REFUSED, .reason = "r"};
	struct registry_audit_row *rows;
	struct registry_origin origin;
	struct err err;
	size_t n;

	for (int i = 0; i < 6; i++) {
		origin = world_later(i);
		event.router = i % 2 ? "r1" : "r0";
		assert_ok(registry_audit_append(i % 3 ? w->r : other, &origin, &event, &err), &err);
	}
	assert_ok(registry_audit_query(w->r, "r0", WORLD_NOW_S + 1, &rows, &n, &err), &err);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].time_s, WORLD_NOW_S + 2);
	assert_int_equal(rows[1].time_s, WORLD_NOW_S + 4);
	assert_string_equal(rows[0].conductor, "c0");
	assert_string_equal(rows[0].address, "192.0.2.1");
	assert_string_equal(rows[0].node, "");
	free(rows);
	assert_ok(registry_audit_query(w->r, NULL, 0, &rows, &n, &err), &err);
	assert_int_equal(n, 6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(rows[i].time_s, WORLD_NOW_S + i);
	free(rows);
	registry_close(other);
}

#define MANY (REGISTRY_AUDIT_ROWS_MAX + 50)

static int add_many(struct registry_session *session, void *work, struct err *err)
{
	struct registry_event event = {
		.outcome = REGISTRY_REFUSED, .router = "r0", .reason = "one of many"};
	int rc = 0;

	(void)work;
	for (int i = 0; rc == 0 && i < MANY; i++) {
		struct registry_origin origin = world_later(i);

		rc = registry_audit_add(session, &origin, &event, err);
	}
	return rc;
}

static void test_ten_thousand_audit_rows(struct registry_world *w)
{
	struct registry_audit_row *rows;
	struct err err;
	size_t n;

	assert_ok(registry_write(w->r, add_many, NULL, &err), &err);
	assert_ok(registry_audit_query(w->r, NULL, 0, &rows, &n, &err), &err);
	assert_int_equal(n, REGISTRY_AUDIT_ROWS_MAX);
	assert_int_equal(rows[0].time_s, WORLD_NOW_S + 50); /* the last ones */
	assert_int_equal(rows[n - 1].time_s, WORLD_NOW_S + MANY - 1);
	free(rows);
	assert_ok(registry_audit_query(w->r, "r0", WORLD_NOW_S + MANY - 3, &rows, &n, &err), &err);
	assert_int_equal(n, 3);
	free(rows);
}

static void test_failures(struct registry_world *w)
{
	static const struct {
		const char *address;
		const char *counted;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"}, /* the same network */
		{"2001:db8:1:3::1", "2001:db8:1:3::/64"},
		{"::ffff:192.0.2.1", "192.0.2.1"}, /* IPv4 on an IPv6 socket */
		{"::1", "::/64"},
		{"nobody", "unknown"},
		{"192.0.2.1'; --", "unknown"},
	};
	struct registry *other = registry_world_open(w, "c1");
	struct registry_failures *found;
	struct registry_failures added[N_ELEMENTS(rows)];
	struct err err;
	size_t n;

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		registry_failures_address(rows[i].address, added[i].address);
		assert_string_equal(added[i].address, rows[i].counted);
		added[i].minute_s = WORLD_NOW_S + i; /* all of one minute */
		added[i].n = 1 << i;
	}
	assert_ok(registry_failures_add(w->r, added, 8, WORLD_NOW_S, &err), &err);
	assert_ok(registry_failures_add(other, added, 1, WORLD_NOW_S, &err), &err);
	assert_ok(registry_failures_query(w->r, WORLD_NOW_S, &found, &n, &err), &err);
	assert_int_equal(n, 5);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(found[i].minute_s, WORLD_NOW_S);
		if (strcmp(found[i].address, "192.0.2.1") == 0)
			assert_int_equal(found[i].n, 1 + 16 + 1);
		if (strcmp(found[i].address, "2001:db8:1:2::/64") == 0)
			assert_int_equal(found[i].n, 2 + 4);
	}
	free(found);
	assert_ok(registry_failures_add(w->r, added, 0, WORLD_NOW_S + REGISTRY_FAILURES_KEPT_S + 60,
					&err),
		  &err);
	assert_ok(registry_failures_query(w->r, 0, &found, &n, &err), &err);
	assert_int_equal(n, 0);
	registry_close(other);
}

static int look_up(struct registry *r, const char *router, const char *asset_id, const char *jti)
{
	struct registry_question question = world_question(router, asset_id, jti);
	struct registry_candidate candidate;

	return registry_lookup(r, &question, WORLD_NOW_S, &candidate, NULL);
}

/* What a stranger writes is a value, never SQL, and never reaches a terminal as it was. */
static void test_hostile_strings(struct registry_world *w)
{
	static const char *const strings[] = {
		"",
		"'; DROP TABLE routers; --",
		"\" OR 1=1",
		"$1",
		"a b",
		"a/b",
		"a\n",
		"\x1b[2J",
		"\xff\xfe",
		"%s%n",
		"0123456789012345678901234567890123456789012345678901234567890123", /* 64 */
	};
	struct registry_audit_row *rows;
	struct registry_token *tokens;
	struct err err;
	size_t n;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	for (unsigned i = 0; i < N_ELEMENTS(strings); i++) {
		const char *s = strings[i];
		struct registry_event event = {
			.outcome = REGISTRY_REFUSED, .router = s, .node = s, .reason = s};
		struct registry_origin origin = {.address = s, .time_s = WORLD_NOW_S + 100 + i};

		assert_int_equal(registry_router_add(w->r, s, &world_origin, &err), -EINVAL);
		assert_int_equal(
			registry_node_set_asset_id(w->r, "r0", "n0", s, &world_origin, &err),
			-EINVAL);
		assert_int_equal(
			registry_node_set_asset_id(w->r, "r0", s, "A9", &world_origin, &err),
			-EINVAL);
		assert_int_equal(look_up(w->r, s, "A0", WORLD_JTI), -EINVAL);
		assert_int_equal(look_up(w->r, "r0", s, WORLD_JTI), -EINVAL);
		assert_int_equal(look_up(w->r, "r0", "A0", s), -EINVAL);
		assert_int_equal(registry_token_revoke(w->r, s, &world_origin, &err), -EINVAL);
		assert_ok(registry_audit_append(w->r, &origin, &event, &err), &err);
	}
	assert_ok(registry_audit_query(w->r, NULL, WORLD_NOW_S + 100, &rows, &n, &err), &err);
	assert_int_equal(n, N_ELEMENTS(strings));
	for (unsigned i = 0; i < n; i++)
		for (const char *c = rows[i].reason; *c; c++)
			assert_true(*c >= ' ' && *c < 0x7f);
	assert_string_equal(rows[1].reason, strings[1]);
	assert_string_equal(rows[7].reason, "\\x1b[2J");
	free(rows);
	assert_ok(list_tokens(w->r, "r0' OR '1'='1", &tokens, &n, &err), &err);
	assert_int_equal(n, 0);
	assert_int_equal(look_up(w->r, "r0", "A0", WORLD_JTI), 0);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_audit_order),
		REGISTRY_TEST(test_ten_thousand_audit_rows),
		REGISTRY_TEST(test_failures),
		REGISTRY_TEST(test_hostile_strings),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
