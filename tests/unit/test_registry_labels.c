/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Labels of routers, on both databases; and which routers a selector means. */
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/registry/registry_labels.h"
#include "conductor/registry/registry_routers.h"

static int set(struct registry *r, const char *router, const char *name, const char *value,
	       struct err *err)
{
	struct registry_label label;

	(void)snprintf(label.router, sizeof(label.router), "%s", router);
	(void)snprintf(label.name, sizeof(label.name), "%s", name);
	(void)snprintf(label.value, sizeof(label.value), "%s", value);
	return registry_label_set(r, &label, &world_origin, err);
}

/* "B.a=1 a.a=1 ..." */
static void check_all(struct registry *r, const char *first, const char *last, const char *expected)
{
	struct registry_label *labels;
	char text[1024] = "";
	size_t used = 0;
	struct err err;
	size_t n;

	assert_ok(registry_labels_between(r, first, last, &labels, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s.%s=%s",
					 i ? " " : "", labels[i].router, labels[i].name,
					 labels[i].value);
	assert_string_equal(text, expected);
	free(labels);
}

static void test_set_and_delete(struct registry_world *w)
{
	struct err err;

	assert_ok(set(w->r, "b", "site", "emea", &err), &err);
	assert_ok(set(w->r, "b", "ring", "1", &err), &err);
	assert_ok(set(w->r, "B", "site", "apac", &err), &err);
	assert_ok(set(w->r, "c", "Site", "emea", &err), &err);
	check_all(w->r, "B", "c", "B.site=apac b.ring=1 b.site=emea c.Site=emea");
	check_all(w->r, "b", "b", "b.ring=1 b.site=emea");
	assert_ok(set(w->r, "b", "site", "apac", &err), &err); /* over what is there */
	assert_ok(registry_label_delete(w->r, "b", "ring", &world_origin, &err), &err);
	check_all(w->r, "b", "b", "b.site=apac");
	assert_int_equal(registry_label_delete(w->r, "b", "ring", &world_origin, &err), -ENOENT);
	assert_contains(err.text, "router b has no label ring");
	assert_int_equal(registry_label_delete(w->r, "x", "ring", &world_origin, &err), -ENOENT);
	assert_contains(err.text, "there is no router x");
	assert_int_equal(world_count_audit(w->r, REGISTRY_CONFIGURED), 6);
	assert_ok(registry_router_delete(w->r, "b", &world_origin, &err), &err);
	check_all(w->r, "a", "b", "");
}

static void test_names(struct registry_world *w)
{
	static const char *const bad[] = {"", "a b", "a=b", "a,b", "\xc3\xa9"};
	struct err err;

	for (unsigned i = 0; i < N_ELEMENTS(bad); i++) {
		assert_int_equal(set(w->r, "b", bad[i], "v", &err), -EINVAL);
		assert_int_equal(set(w->r, "b", "n", bad[i], &err), -EINVAL);
		assert_int_equal(set(w->r, bad[i], "n", "v", &err), -EINVAL);
		assert_int_equal(registry_label_delete(w->r, "b", bad[i], &world_origin, &err),
				 -EINVAL);
	}
	check_all(w->r, "A", "z", "");
	assert_int_equal(world_count_audit(w->r, REGISTRY_CONFIGURED), 0);
}

static void test_at_most(struct registry_world *w)
{
	char name[8];
	struct err err;

	for (int i = 0; i < REGISTRY_LABELS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_ok(set(w->r, "b", name, "v", &err), &err);
	}
	assert_int_equal(set(w->r, "b", "more", "v", &err), -EDQUOT);
	assert_contains(err.text, "router b has 32 labels");
	assert_ok(set(w->r, "b", "n7", "other", &err), &err); /* is none more */
	assert_ok(set(w->r, "c", "more", "v", &err), &err);
	assert_ok(registry_label_delete(w->r, "b", "n0", &world_origin, &err), &err);
	assert_ok(set(w->r, "b", "more", "v", &err), &err);
}

static void test_selectors(struct registry_world *w)
{
	static const struct registry_label labels[] = {{"b", "ring", "1"}, {"b", "site", "emea"}};
	static const struct {
		struct registry_label wanted[2];
		size_t n;
		bool holds;
	} rows[] = {
		{{{"", "", ""}}, 0, true},
		{{{"", "site", "emea"}}, 1, true},
		{{{"", "site", "apac"}}, 1, false},
		{{{"", "site", "eme"}}, 1, false},
		{{{"", "Site", "emea"}}, 1, false},
		{{{"", "tier", "emea"}}, 1, false},
		{{{"", "site", "emea"}, {"", "ring", "1"}}, 2, true},
		{{{"", "site", "emea"}, {"", "ring", "2"}}, 2, false},
		{{{"", "site", "emea"}, {"", "site", "apac"}}, 2, false},
		{{{"", "site", "emea"}, {"", "site", "emea"}}, 2, true},
	};

	(void)w;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (registry_labels_hold(rows[i].wanted, rows[i].n, labels, N_ELEMENTS(labels)) !=
		    rows[i].holds)
			fail_msg("row %u", i);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_set_and_delete),
		REGISTRY_TEST(test_names),
		REGISTRY_TEST(test_at_most),
		REGISTRY_TEST(test_selectors),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
