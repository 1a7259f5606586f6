/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a handshake asks the registry about the router that says hello: on both databases. */
#include "registry_world.h"

#include <time.h>

#include "base/macros.h"
#include "conductor/enrolment/enrolment_handshake.h"
#include "conductor/registry/registry_clock.h"
#include "conductor/registry/registry_conductors.h"
#include "conductor/registry/registry_nodes.h"

/* As far as one is that asks for its look-up. */
static void say_hello(struct enrolment_handshake *h, struct registry *r, const char *router,
		      const char *jti)
{
	static struct enrolment_context context;
	struct handshake_conductor *steps = calloc(1, sizeof(*steps));

	assert_non_null(steps);
	memset(h, 0, sizeof(*h));
	context.registry = r;
	context.repository_port = 8930;
	enrolment_handshake_open(h, &context, "192.0.2.1");
	steps->setup.conductor_certificate = span_of_string(WORLD_CERTIFICATE);
	(void)snprintf(steps->hello.router, sizeof(steps->hello.router), "%s", router);
	(void)snprintf(steps->hello.asset_id, sizeof(steps->hello.asset_id), "A0");
	(void)snprintf(steps->hello.jti, sizeof(steps->hello.jti), "%s", jti);
	h->steps = steps;
	enrolment_handshake_look_up(h);
	assert_non_null(h->lookup);
}

/* The look-up is of today; the world has seen another day. */
static void forget_the_clock(struct registry *r)
{
	const struct registry_origin first = {.address = "192.0.2.1", .time_s = 1};
	struct err err;

	assert_ok(registry_clock_reset(r, &first, &err), &err);
}

static void register_conductor(struct registry *r)
{
	struct registry_conductor conductor = {.name = "c0", .host = "192.0.2.9", .port = 930};
	struct err err;

	(void)snprintf(conductor.ssh_host_keys, sizeof(conductor.ssh_host_keys), "YWJj\nZGVm\n");
	assert_ok(registry_conductor_register(r, &conductor, &err), &err);
}

static void test_known(struct registry_world *w)
{
	const struct registry_candidate *candidate;
	const struct message_conductor *told;
	struct enrolment_handshake h;
	struct err err;

	world_configure(w->r, ONBOARDING_STRONG);
	assert_ok(registry_node_set_endorsement_key(w->r, "r0", "n0", world_endorsement_key(0),
						    &world_origin, &err),
		  &err);
	forget_the_clock(w->r);
	say_hello(&h, w->r, "r0", WORLD_JTI);
	assert_int_equal(h.lookup->rc, -EAGAIN); /* nobody to send the router to */
	enrolment_handshake_close(&h);
	register_conductor(w->r);
	say_hello(&h, w->r, "r0", WORLD_JTI);
	assert_ok(h.lookup->rc, &h.lookup->err);
	candidate = &h.lookup->candidate;
	assert_string_equal(candidate->claims.router, "r0");
	assert_string_equal(candidate->node, "n0");
	assert_int_equal(candidate->claims.mode, ONBOARDING_STRONG);
	assert_memory_equal(candidate->claims.secret, WORLD_SECRET, TOKEN_SECRET_SIZE);
	assert_int_equal(candidate->claims.n_asset_ids, 1);
	assert_int_equal(candidate->endorsement_key_size, world_endorsement_key(0).size);
	assert_int_equal(candidate->pin.kind, REGISTRY_PIN_NONE);
	assert_true(candidate->token_is_known && !candidate->token_is_revoked);
	assert_string_equal(candidate->changed, "");
	assert_int_equal(h.lookup->conductors.n_conductors, 1);
	told = h.lookup->conductors.conductors;
	assert_string_equal(told->host, "192.0.2.9");
	assert_int_equal(told->port, 930);
	assert_int_equal(told->listen_port, candidate->listen_port);
	assert_int_equal(told->repository_port, 8930);
	assert_int_equal(told->n_ssh_host_keys, 2);
	assert_memory_equal(told->ssh_host_keys[1].bytes, "def", 3);
	enrolment_handshake_close(&h);
	say_hello(&h, w->r, "r0", "ffffffffffffffffffffffffffffffff");
	assert_ok(h.lookup->rc, &h.lookup->err);
	assert_false(h.lookup->candidate.token_is_known);
	enrolment_handshake_close(&h);
}

/* Answers too, but there is nothing to tell such a router. */
static void test_unknown(struct registry_world *w)
{
	struct enrolment_handshake h;
	struct err err;

	say_hello(&h, w->r, "r0", WORLD_JTI);
	assert_ok(h.lookup->rc, &h.lookup->err);
	assert_string_equal(h.lookup->candidate.claims.router, "");
	assert_int_equal(h.lookup->conductors.n_conductors, 0);
	enrolment_handshake_close(&h);
	world_configure(w->r, ONBOARDING_STRONG);
	register_conductor(w->r);
	forget_the_clock(w->r);
	say_hello(&h, w->r, "r1", WORLD_JTI); /* another's: whose, and nothing else */
	assert_ok(h.lookup->rc, &h.lookup->err);
	assert_string_equal(h.lookup->candidate.claims.router, "r0");
	assert_int_equal(h.lookup->candidate.claims.n_asset_ids, 0);
	assert_false(h.lookup->clock_set_back);
	enrolment_handshake_close(&h);
	assert_ok(registry_clock_check(w->r, time(NULL) + 1000, &err), &err);
	say_hello(&h, w->r, "r0", WORLD_JTI);
	assert_ok(h.lookup->rc, &h.lookup->err);
	assert_true(h.lookup->clock_set_back);
	assert_string_equal(h.lookup->candidate.claims.router, "");
	enrolment_handshake_close(&h);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_known),
		REGISTRY_TEST(test_unknown),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
