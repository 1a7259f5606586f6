/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets in the registry: to whom they are sealed when, on both databases. */
#include "registry_world.h"

#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_secrets.h"
#include "conductor/registry/registry_secrets_store.h"
#include "onboarding/sealed_value.h"

#define PATH  "software-update/source/a/password"
#define OTHER "software-update/source/b/password"

/* A long one: an index of PostgreSQL does not take more than 2,700 bytes. */
static const char *long_path(void)
{
	static char path[6000];

	memset(path, 'x', sizeof(path) - 1);
	/* Which does not compress. */
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = (char)('!' + (i * 7919 + i / 64 * 104729) % 90);
	return path;
}

static struct sealing_keys made_keys(void)
{
	struct sealing_keys keys;

	assert_int_equal(sealing_keys_make(&keys, NULL), 0);
	return keys;
}

static int set_all(struct registry *r, const struct sealing_keys *own, int64_t revision,
		   const struct registry_secret_value *values, size_t n, struct err *err)
{
	const struct registry_secret_values all = {.list = values, .n = n, .keys = own};

	return registry_router_set_configuration(r, "r0", "{}", &all, revision, &world_origin, err);
}

static void set(struct registry *r, const struct sealing_keys *own, int64_t revision,
		const char *path, const char *value)
{
	const struct registry_secret_value values[] = {{path, value}};
	struct err err;

	assert_ok(set_all(r, own, revision, values, 1, &err), &err);
}

/* What node has of the first secret; "" = nothing that it can open. */
static enum secret_state state_of(struct registry *r, const char *node,
				  const struct sealing_keys *keys, char ret_value[64])
{
	struct registry_secret_list list;
	enum secret_state state;
	struct err err;
	char *value;
	size_t size;

	assert_ok(registry_secrets_list(r, "r0", node, &list, &err), &err);
	assert_int_equal(list.n, 1);
	state = list.rows[0].state;
	ret_value[0] = '\0';
	if (state == SECRET_SET) {
		const struct sealed_place place = {"r0", list.rows[0].path,
						   (uint64_t)list.rows[0].version};

		assert_ok(sealed_value_open(keys, &place,
					    span_of(list.rows[0].sealed, list.rows[0].sealed_size),
					    &value, &size, &err),
			  &err);
		(void)snprintf(ret_value, 64, "%s", value);
		free(value);
	} else {
		assert_null(list.rows[0].sealed);
	}
	registry_secret_list_release(&list);
	return state;
}

static void assert_state(struct registry *r, const char *node, const struct sealing_keys *keys,
			 enum secret_state state, const char *value)
{
	char found[64];

	assert_int_equal(state_of(r, node, keys, found), state);
	assert_string_equal(found, value);
}

static struct registry_enrolment enrol(struct registry_world *w, unsigned number)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, number);
	struct registry_enrolment who;
	struct registry_decision decision;
	struct err err;

	assert_false(registry_verdict_is_refusal(world_enrol(w->r, &proof, &decision)));
	assert_ok(registry_enrolment_of(w->r, "r0", "n0", &who, &err), &err);
	return who;
}

static void tell_keys(struct registry *r, const struct registry_enrolment *who,
		      const struct sealing_keys *keys, const struct sealing_keys *own)
{
	struct err err;

	assert_ok(registry_secrets_put_node(r, who, keys, own, &world_origin, &err), &err);
}

/* Set first, enrolled later. */
static void test_waits(struct registry_world *w)
{
	struct sealing_keys own = made_keys();
	struct sealing_keys node = made_keys();
	struct registry_enrolment who;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	set(w->r, &own, 0, PATH, "one");
	assert_state(w->r, "n0", &node, SECRET_WAITING, "");
	who = enrol(w, 0);
	assert_state(w->r, "n0", &node, SECRET_WAITING, "");
	tell_keys(w->r, &who, &node, &own);
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	/* Now that each has it, nobody else has: other keys get nothing. */
	set(w->r, &own, 1, PATH, "two");
	assert_state(w->r, "n0", &node, SECRET_SET, "two");
}

static void test_other_keys(struct registry_world *w)
{
	struct sealing_keys own = made_keys();
	struct sealing_keys node = made_keys();
	struct sealing_keys other = made_keys();
	struct registry_enrolment who;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	set(w->r, &own, 0, PATH, "one");
	who = enrol(w, 0);
	tell_keys(w->r, &who, &node, &own);
	assert_ok(registry_node_reset(w->r, "r0", "n0", &world_origin, &err), &err);
	assert_state(w->r, "n0", &node, SECRET_WAITING, "");
	assert_int_equal(registry_secrets_put_node(w->r, &who, &other, &own, &world_origin, &err),
			 -ENOENT);
	assert_contains(err.text, "is not enrolled so");
}

/* The same device after its enrolment was renewed; then another. */
static void test_keys_of_an_enrolment(struct registry_world *w)
{
	struct sealing_keys own = made_keys();
	struct sealing_keys node = made_keys();
	struct sealing_keys other = made_keys();
	struct registry_enrolment who;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	set(w->r, &own, 0, PATH, "one");
	who = enrol(w, 0);
	tell_keys(w->r, &who, &node, &own);
	who = enrol(w, 0); /* once more: its keys are asked for again */
	assert_state(w->r, "n0", &node, SECRET_WAITING, "");
	tell_keys(w->r, &who, &node, &own);
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	tell_keys(w->r, &who, &other, &own);
	assert_state(w->r, "n0", &other, SECRET_LOST, "");
	tell_keys(w->r, &who, &node, &own);
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
}

static void test_two_nodes(struct registry_world *w)
{
	struct sealing_keys own = made_keys();
	struct sealing_keys node = made_keys();
	struct registry_enrolment who;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_node_set_asset_id(w->r, "r0", "n1", "A1", &world_origin, &err), &err);
	who = enrol(w, 0);
	tell_keys(w->r, &who, &node, &own);
	set(w->r, &own, 0, PATH, "one");
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	assert_state(w->r, "n1", &node, SECRET_WAITING, "");
	/* The copy that waits for n1 serves n0 again, should it lose its keys. */
	node = made_keys();
	tell_keys(w->r, &who, &node, &own);
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	assert_ok(registry_node_delete(w->r, "r0", "n1", &world_origin, &err), &err);
	tell_keys(w->r, &who, &node, &own);
	node = made_keys();
	tell_keys(w->r, &who, &node, &own);
	assert_state(w->r, "n0", &node, SECRET_LOST, "");
}

/* Each conductor that has told its keys has a copy; one that came later, or lost its keys, none. */
static void test_conductors(struct registry_world *w)
{
	struct registry *second = registry_world_open(w, "c1");
	struct registry *third = registry_world_open(w, "c2");
	struct sealing_keys own = made_keys();
	struct sealing_keys seconds = made_keys();
	struct sealing_keys thirds = made_keys();
	struct sealing_keys node = made_keys();
	struct registry_enrolment who;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_ok(registry_secrets_put_conductor(second, &seconds, &err), &err);
	set(w->r, &own, 0, PATH, "one");
	assert_ok(registry_secrets_put_conductor(third, &thirds, &err), &err);
	who = enrol(w, 0);
	tell_keys(third, &who, &node, &thirds);
	assert_state(third, "n0", &node, SECRET_WAITING, "");
	/* The first lost its keys: what waited sealed to them is no copy. */
	own = made_keys();
	assert_ok(registry_secrets_put_conductor(w->r, &own, &err), &err);
	tell_keys(w->r, &who, &node, &own);
	assert_state(w->r, "n0", &node, SECRET_WAITING, "");
	tell_keys(second, &who, &node, &seconds);
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	registry_close(second);
	registry_close(third);
}

static void test_the_last_copy_goes(struct registry_world *w)
{
	struct sealing_keys own = made_keys();
	struct sealing_keys others = made_keys();
	struct sealing_keys node = made_keys();
	struct registry_enrolment who;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	set(w->r, &own, 0, PATH, "one");
	who = enrol(w, 0);
	/* A copy that does not open is told of, and goes. */
	tell_keys(w->r, &who, &node, &others);
	assert_state(w->r, "n0", &node, SECRET_LOST, "");
	assert_int_equal(world_count_audit(w->r, REGISTRY_CONFIGURED) > 0, 1);
	set(w->r, &others, 1, PATH, "two");
	assert_state(w->r, "n0", &node, SECRET_SET, "two");
}

static void test_which_stay(struct registry_world *w)
{
	const struct registry_secret_value both[] = {{PATH, "one"}, {OTHER, "other"}};
	const struct registry_secret_value one[] = {{PATH, NULL}};
	const struct registry_secret_value gone[] = {{PATH, NULL}, {OTHER, NULL}};
	const struct registry_secret_value longer[] = {{long_path(), "long"}};
	struct sealing_keys own = made_keys();
	struct sealing_keys node = made_keys();
	struct registry_enrolment who;
	struct registry_secret_list list;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	who = enrol(w, 0);
	tell_keys(w->r, &who, &node, &own);
	assert_ok(set_all(w->r, &own, 0, both, 2, &err), &err);
	assert_ok(registry_secrets_list(w->r, "r0", NULL, &list, &err), &err);
	assert_int_equal(list.n, 2);
	assert_string_equal(list.rows[0].path, PATH);
	assert_string_equal(list.rows[1].path, OTHER);
	registry_secret_list_release(&list);
	assert_ok(set_all(w->r, &own, 1, one, 1, &err), &err);
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	/* What is gone does not come back, and nothing is changed by who says so. */
	assert_int_equal(set_all(w->r, &own, 2, gone, 2, &err), -EINVAL);
	assert_contains(err.text, OTHER ": what stands there is only shown");
	assert_state(w->r, "n0", &node, SECRET_SET, "one");
	assert_ok(set_all(w->r, &own, 2, longer, 1, &err), &err);
	assert_state(w->r, "n0", &node, SECRET_SET, "long");
	assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	assert_ok(registry_secrets_list(w->r, "r0", NULL, &list, &err), &err);
	assert_int_equal(list.n, 0);
	registry_secret_list_release(&list);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_waits),
		REGISTRY_TEST(test_other_keys),
		REGISTRY_TEST(test_keys_of_an_enrolment),
		REGISTRY_TEST(test_two_nodes),
		REGISTRY_TEST(test_conductors),
		REGISTRY_TEST(test_the_last_copy_goes),
		REGISTRY_TEST(test_which_stay),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
