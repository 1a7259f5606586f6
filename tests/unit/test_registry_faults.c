/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What must hold when two do the same at once, when one dies of it, and when the database goes away
 * in between. On both databases. */
#include "faults.h"
#include "registry_faults.h"

#include <signal.h>

#include "base/macros.h"
#include "conductor/registry/registry_initialization.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_schema.h"
#include "conductor/registry/registry_sqlite.h"

#define ROUNDS 12

/* A contender: a thread with a connection of its own. */
struct contender {
	struct registry *r;
	uv_barrier_t *start;
	unsigned number;
	uint8_t ssh_key[SSH_KEY_ED25519_SIZE];
	int rc;
	enum registry_verdict verdict;
	enum registry_claim claim;
	struct err err;
};

static void race(const struct registry_world *w, uv_thread_cb run, struct contender two[2])
{
	static const char *const names[] = {"c0", "c1"};
	uv_thread_t threads[2];
	uv_barrier_t start;

	assert_int_equal(uv_barrier_init(&start, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		two[i] = (struct contender){
			.r = registry_world_open(w, names[i]), .start = &start, .number = i};
		memcpy(two[i].ssh_key, world_ssh_key(i).bytes, sizeof(two[i].ssh_key));
		assert_int_equal(uv_thread_create(&threads[i], run, &two[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(uv_thread_join(&threads[i]), 0);
		registry_close(two[i].r);
	}
	uv_barrier_destroy(&start);
}

/* Both are connected before either begins. */
static void wait_for_other(struct contender *c)
{
	c->rc = registry_check(c->r, &c->err);
	(void)uv_barrier_wait(c->start);
}

static void enrol_own_device(void *argument)
{
	struct contender *c = argument;
	struct registry_proof proof = {
		.router = "r0",
		.asset_id = "A0",
		.jti = WORLD_JTI,
		.mode = ONBOARDING_PSK_ONLY,
		.secret = span_of_string(WORLD_SECRET),
		.pin.kind = REGISTRY_PIN_SSH_KEY,
		.ssh_key = span_of(c->ssh_key, sizeof(c->ssh_key)),
		.key_exchange = "p-256",
	};
	struct registry_decision decision;

	registry_digest(proof.ssh_key, proof.pin.digest);
	wait_for_other(c);
	c->rc = registry_enrol(c->r, &proof, &world_origin, &decision, &c->err);
	c->verdict = decision.verdict;
}

static void test_two_devices_at_once(struct registry_world *w)
{
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct contender two[2];

		race(w, enrol_own_device, two);
		for (unsigned k = 0; k < 2; k++)
			if (two[k].rc < 0)
				fail_msg("round %u: %s", i, two[k].err.text);
		/* Exactly one is the node's device, whoever it is. */
		assert_int_equal((two[0].verdict == REGISTRY_VERDICT_NEW) +
					 (two[1].verdict == REGISTRY_VERDICT_NEW),
				 1);
		assert_int_equal((two[0].verdict == REGISTRY_VERDICT_OTHER_DEVICE) +
					 (two[1].verdict == REGISTRY_VERDICT_OTHER_DEVICE),
				 1);
		assert_int_equal(world_count_enrolments(w->r), 1);
		assert_int_equal(world_count_audit(w->r, REGISTRY_ENROLLED), i + 1);
		assert_int_equal(world_count_audit(w->r, REGISTRY_OTHER_DEVICE), i + 1);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
		world_configure(w->r, ONBOARDING_PSK_ONLY);
	}
}

static void take_asset_id(void *argument)
{
	static const char *const routers[] = {"r0", "r1"};
	struct contender *c = argument;

	wait_for_other(c);
	c->rc = registry_node_set_asset_id(c->r, routers[c->number], "n0", "A0", &world_origin,
					   &c->err);
}

static void test_one_asset_id_for_two(struct registry_world *w)
{
	struct err err;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct contender two[2];
		unsigned loser;

		race(w, take_asset_id, two);
		loser = two[0].rc == 0;
		assert_int_equal(two[!loser].rc, 0);
		assert_int_equal(two[loser].rc, -EEXIST);
		assert_contains(two[loser].err.text, "asset-id A0 is already n0's of r");
		(void)registry_router_delete(w->r, "r0", &world_origin, &err);
		(void)registry_router_delete(w->r, "r1", &world_origin, &err);
	}
}

static void claim_it(void *argument)
{
	struct contender *c = argument;

	struct registry_enrolment who;

	wait_for_other(c);
	c->rc = registry_enrolment_of(c->r, "r0", "n0", &who, &c->err);
	if (c->rc == 0)
		c->rc = registry_initialization_claim(c->r, &who, &world_origin, &c->claim,
						      &c->err);
}

static void test_one_initializes(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct contender two[2];

		(void)world_enrol(w->r, &proof, &decision);
		race(w, claim_it, two);
		assert_int_equal(two[0].rc, 0);
		assert_int_equal(two[1].rc, 0);
		assert_int_equal((two[0].claim == REGISTRY_CLAIM_OURS) +
					 (two[1].claim == REGISTRY_CLAIM_OURS),
				 1);
	}
}

static void only_check(void *argument)
{
	struct contender *c = argument;

	(void)uv_barrier_wait(c->start);
	c->rc = registry_check(c->r, &c->err);
}

/* A database nobody has used yet. */
static void test_two_make_the_tables(struct registry_world *w)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct contender two[2];

		world_empty(w);
		race(w, only_check, two);
		for (unsigned k = 0; k < 2; k++)
			if (two[k].rc < 0)
				fail_msg("round %u: %s", i, two[k].err.text);
		w->r = registry_world_open(w, "c0");
		world_configure(w->r, ONBOARDING_PSK_ONLY);
	}
}

static int enrol_one(struct registry *r, void *owner)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;

	(void)owner;
	return registry_enrol(r, &proof, &world_origin, &decision, NULL);
}

/* Killed at each call: all of it is there or nothing, and the next one is enrolled. */
static void test_killed_at_each_call(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct err err;

	for (unsigned after = 0; after < 2; after++) {
		bool done = false;
		bool was_whole = false;

		for (unsigned n = 1; !done; n++) {
			size_t before;
			size_t now;

			world_configure(w->r, ONBOARDING_PSK_ONLY);
			before = world_count_audit(w->r, REGISTRY_ENROLLED);
			registry_close(w->r);
			done = registry_faults_die(w, n, after, enrol_one, NULL);
			w->r = registry_world_open(w, "c0");
			now = world_count_audit(w->r, REGISTRY_ENROLLED) - before;
			assert_int_equal(world_count_enrolments(w->r), now);
			assert_true(now == 1 || (!done && !was_whole));
			was_whole = now == 1;
			assert_int_equal(world_enrol(w->r, &proof, &decision),
					 now ? REGISTRY_VERDICT_SAME : REGISTRY_VERDICT_NEW);
			assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
		}
	}
}

/* Lost at each call: it is begun again, but for the commit, of which nobody knows. */
static void test_connection_lost_at_each_call(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry *r = registry_faults_open(w);
	struct registry_decision decision;
	unsigned unknown = 0;
	struct err err;

	for (unsigned n = 1;; n++) {
		bool after = n % 2;
		int rc;

		world_configure(w->r, ONBOARDING_PSK_ONLY);
		registry_fault = (struct registry_fault){
			.to_go = (n + 1) / 2, .failure = -ECONNRESET, .after = after};
		rc = registry_enrol(r, &proof, &world_origin, &decision, &err);
		if (registry_fault.to_go > 0)
			break;
		if (rc < 0) {
			assert_int_equal(rc, -ECONNRESET);
			assert_contains(err.text, "whether it was written is not known");
			assert_int_equal(world_count_enrolments(w->r), after);
			unknown++;
		} else {
			assert_int_equal(decision.verdict, REGISTRY_VERDICT_NEW);
			assert_int_equal(world_count_enrolments(w->r), 1);
		}
		/* Once more, as the router would. */
		assert_ok(registry_enrol(r, &proof, &world_origin, &decision, &err), &err);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	}
	assert_int_equal(unknown, 2); /* before and after the commit */
	registry_fault.to_go = 0;
	registry_close(r);
}

/* Our own allocations fail one after the other: what could not be done is not done. */
static void test_memory_runs_out(struct registry_world *w)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	bool had_effect = true;
	struct err err;

	for (unsigned n = 1; had_effect; n++) {
		struct registry *r;
		int rc;

		world_configure(w->r, ONBOARDING_PSK_ONLY);
		faults_fail_allocation(n);
		rc = registry_open(&r, w->uri, "c1", &err);
		if (rc == 0) {
			rc = registry_enrol(r, &proof, &world_origin, &decision, &err);
			registry_close(r);
		}
		had_effect = faults_had_effect();
		assert_int_equal(rc, had_effect ? -ENOMEM : 0);
		assert_int_equal(world_count_enrolments(w->r), !had_effect);
		assert_ok(registry_router_delete(w->r, "r0", &world_origin, &err), &err);
	}
}

/* As an operator's restart and as a crash; SQLite has no server: its process is what ends. */
static void test_database_restarts(struct registry_world *w)
{
	static const int signals[] = {SIGINT, SIGQUIT};
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 0);
	struct registry_decision decision;
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	assert_int_equal(world_enrol(w->r, &proof, &decision), REGISTRY_VERDICT_NEW);
	for (unsigned i = 0; i < N_ELEMENTS(signals); i++) {
		int rc = -ECONNRESET;

		if (w->driver == &registry_sqlite) {
			registry_close(w->r);
			w->r = registry_world_open(w, "c0");
		} else {
			postgres_end(registry_world_server(), signals[i]);
			rc = registry_enrol(w->r, &proof, &world_origin, &decision, &err);
			if (rc != -ECONNRESET)
				fail_msg("%d: %s", rc, err.text);
			assert_contains(err.text, "registry: PostgreSQL: ");
			postgres_run(registry_world_server());
		}
		for (unsigned tried = 0; tried < 300 && rc == -ECONNRESET; tried++) {
			rc = registry_enrol(w->r, &proof, &world_origin, &decision, &err);
			(void)usleep(rc < 0 ? 100000 : 0);
		}
		assert_int_equal(rc, 0);
		assert_int_equal(decision.verdict, REGISTRY_VERDICT_SAME);
		assert_int_equal(world_count_enrolments(w->r), 1);
		assert_int_equal(world_count_audit(w->r, REGISTRY_ENROLLED), i + 2);
	}
}

/* Restarted while nobody asked: the first who asks notices nothing. */
static void test_restart_in_between_is_not_noticed(struct registry_world *w)
{
	struct err err;

	world_configure(w->r, ONBOARDING_PSK_ONLY);
	if (w->driver != &registry_sqlite) {
		postgres_end(registry_world_server(), SIGINT);
		postgres_run(registry_world_server());
	}
	assert_ok(registry_router_add(w->r, "r1", &world_origin, &err), &err);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_two_devices_at_once),
		REGISTRY_TEST(test_one_asset_id_for_two),
		REGISTRY_TEST(test_one_initializes),
		REGISTRY_TEST(test_two_make_the_tables),
		REGISTRY_TEST(test_killed_at_each_call),
		REGISTRY_TEST(test_connection_lost_at_each_call),
		REGISTRY_TEST(test_memory_runs_out),
		REGISTRY_TEST(test_database_restarts),
		REGISTRY_TEST(test_restart_in_between_is_not_noticed),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
