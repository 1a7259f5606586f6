/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several enrolments in one transaction: each is judged for itself, and what becomes of one does
 * not become of the others. On both databases. */
#include "registry_faults.h"
#include "registry_lists.h"

#include "base/macros.h"
#include "conductor/registry/registry_routers.h"

#define N 4

struct batch {
	char routers[N][8];
	char asset_ids[N][8];
	char jtis[N][TOKEN_JTI_SIZE];
	struct registry_proof proofs[N];
	struct registry_enrolment_request requests[N];
};

/* r0 ... with a node, a token and a key each. */
static void make_batch(struct batch *b, struct registry *r)
{
	for (unsigned i = 0; i < N; i++) {
		(void)snprintf(b->routers[i], sizeof(b->routers[i]), "r%u", i);
		(void)snprintf(b->asset_ids[i], sizeof(b->asset_ids[i]), "A%u", i);
		(void)snprintf(b->jtis[i], sizeof(b->jtis[i]), "%032x", i);
		b->proofs[i] = world_proof(ONBOARDING_PSK_ONLY, i);
		b->proofs[i].router = b->routers[i];
		b->proofs[i].asset_id = b->asset_ids[i];
		b->proofs[i].jti = b->jtis[i];
		b->requests[i] = (struct registry_enrolment_request){.proof = &b->proofs[i],
								     .origin = &world_origin};
		world_configure_router(r, b->routers[i], b->asset_ids[i], b->jtis[i],
				       ONBOARDING_PSK_ONLY);
	}
}

static void delete_all(struct registry *r, const struct batch *b)
{
	struct err err;

	for (unsigned i = 0; i < N; i++)
		assert_ok(registry_router_delete(r, b->routers[i], &world_origin, &err), &err);
}

static bool is_enrolled(struct registry *r, const char *router)
{
	struct registry_enrolment *rows;
	struct err err;
	size_t n;

	assert_ok(list_enrolments(r, router, &rows, &n, &err), &err);
	free(rows);
	return n == 1;
}

static void assert_verdict(const struct registry_enrolment_request *request,
			   enum registry_verdict verdict)
{
	if (request->err.code < 0)
		fail_msg("%s: %s", request->proof->router, request->err.text);
	assert_int_equal(request->decision.verdict, verdict);
}

static void test_all_are_enrolled(struct registry_world *w)
{
	struct batch b;

	make_batch(&b, w->r);
	for (unsigned round = 0; round < 2; round++) {
		registry_enrol_all(w->r, b.requests, N);
		for (unsigned i = 0; i < N; i++) {
			assert_verdict(&b.requests[i],
				       round ? REGISTRY_VERDICT_SAME : REGISTRY_VERDICT_NEW);
			assert_string_equal(b.requests[i].decision.node, "n0");
			assert_int_not_equal(b.requests[i].decision.listen_port, 0);
		}
		assert_int_equal(world_count_enrolments(w->r), N);
		assert_int_equal(world_count_audit(w->r, REGISTRY_ENROLLED), (round + 1) * N);
	}
}

/* What stands in a request from before is none of this answer. */
static void test_one_alone(struct registry_world *w)
{
	struct batch b;

	make_batch(&b, w->r);
	b.requests[0].err.code = -EIO;
	registry_enrol_all(w->r, b.requests, 1);
	assert_verdict(&b.requests[0], REGISTRY_VERDICT_NEW);
	b.proofs[0].ssh_key = span_of_string("no key");
	registry_enrol_all(w->r, b.requests, 1);
	assert_int_equal(b.requests[0].err.code, -EINVAL);
	assert_int_equal(b.requests[0].decision.listen_port, 0);
}

/* One is refused, one is no proof at all. */
static void test_one_does_not_stop_the_others(struct registry_world *w)
{
	struct batch b;
	struct err err;

	make_batch(&b, w->r);
	assert_ok(registry_token_revoke(w->r, b.jtis[0], &world_origin, &err), &err);
	b.proofs[2].ssh_key = span_of_string("no key");
	registry_enrol_all(w->r, b.requests, N);
	assert_verdict(&b.requests[0], REGISTRY_VERDICT_TOKEN_REVOKED);
	assert_verdict(&b.requests[1], REGISTRY_VERDICT_NEW);
	assert_int_equal(b.requests[2].err.code, -EINVAL);
	assert_contains(b.requests[2].err.text, "no ssh-ed25519 key");
	assert_verdict(&b.requests[3], REGISTRY_VERDICT_NEW);
	assert_int_equal(world_count_enrolments(w->r), 2);
	assert_int_equal(world_count_audit(w->r, REGISTRY_REFUSED), 1);
}

/* Whoever comes first has it, also within one transaction. */
static void test_they_are_judged_in_their_turn(struct registry_world *w)
{
	struct batch b;

	make_batch(&b, w->r);
	b.proofs[1] = world_proof(ONBOARDING_PSK_ONLY, 1); /* of r0 too, by another device */
	b.proofs[1].jti = b.jtis[0];
	b.proofs[3].ssh_key = b.proofs[2].ssh_key;
	b.proofs[3].pin = b.proofs[2].pin;
	registry_enrol_all(w->r, b.requests, N);
	assert_verdict(&b.requests[0], REGISTRY_VERDICT_NEW);
	assert_verdict(&b.requests[1], REGISTRY_VERDICT_OTHER_DEVICE);
	assert_verdict(&b.requests[2], REGISTRY_VERDICT_NEW);
	assert_verdict(&b.requests[3], REGISTRY_VERDICT_SSH_KEY);
	assert_int_equal(world_count_enrolments(w->r), 2);
}

/* Each is told what the database holds of it. Returns how many were not enrolled. */
static unsigned assert_told_true(struct registry *r, const struct batch *b)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < N; i++) {
		bool enrolled = b->requests[i].err.code == 0;

		assert_int_equal(is_enrolled(r, b->routers[i]), enrolled);
		failed += !enrolled;
	}
	return failed;
}

/* In the work of one: it alone fails. In what all share: all do. */
static void test_failing_at_each_call(struct registry_world *w)
{
	struct registry *r = registry_faults_open(w);
	unsigned alone = 0;
	unsigned together = 0;

	for (unsigned n = 1;; n++) {
		struct batch b;
		unsigned failed;
		bool done;

		make_batch(&b, w->r);
		registry_fault = (struct registry_fault){.to_go = n, .failure = -EIO};
		registry_enrol_all(r, b.requests, N);
		done = registry_fault.to_go > 0;
		registry_fault.to_go = 0;
		failed = assert_told_true(w->r, &b);
		assert_true(failed == N || failed == (done ? 0 : 1));
		alone += failed == 1;
		together += failed == N;
		delete_all(w->r, &b);
		if (done)
			break;
	}
	/* At least one call for each of judge, store and note, and begin and commit. */
	assert_true(alone >= 3 * N);
	assert_true(together >= 2);
	registry_close(r);
}

/* Begun again, but for the commit, of which nobody knows. */
static void test_connection_lost_at_each_call(struct registry_world *w)
{
	struct registry *r = registry_faults_open(w);
	bool was_unknown = false;
	struct err err;

	for (unsigned n = 1;; n++) {
		struct batch b;
		unsigned failed;
		bool done;

		make_batch(&b, w->r);
		assert_ok(registry_check(r, &err), &err); /* connected again */
		registry_fault = (struct registry_fault){.to_go = n, .failure = -ECONNRESET};
		registry_enrol_all(r, b.requests, N);
		done = registry_fault.to_go > 0;
		registry_fault.to_go = 0;
		failed = assert_told_true(w->r, &b);
		if (failed != (registry_fault.in_commit ? N : 0))
			fail_msg("call %u: %u failed: %s", n, failed, b.requests[0].err.text);
		was_unknown = was_unknown || registry_fault.in_commit;
		delete_all(w->r, &b);
		if (done)
			break;
	}
	assert_true(was_unknown);
	registry_close(r);
}

static int enrol_batch(struct registry *r, void *owner)
{
	struct batch *b = owner;

	registry_enrol_all(r, b->requests, N);
	return 0;
}

static void test_killed_at_each_call(struct registry_world *w)
{
	bool done = false;

	for (unsigned n = 1; !done; n += 3) { /* each third: a server forgets the dead slowly */
		struct batch b;
		size_t enrolled;

		make_batch(&b, w->r);
		registry_close(w->r);
		done = registry_faults_die(w, n, false, enrol_batch, &b);
		w->r = registry_world_open(w, "c0");
		enrolled = world_count_enrolments(w->r);
		assert_int_equal(enrolled, done ? N : 0);
		registry_enrol_all(w->r, b.requests, N);
		for (unsigned i = 0; i < N; i++)
			assert_verdict(&b.requests[i],
				       enrolled ? REGISTRY_VERDICT_SAME : REGISTRY_VERDICT_NEW);
		delete_all(w->r, &b);
	}
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_all_are_enrolled),
		REGISTRY_TEST(test_one_alone),
		REGISTRY_TEST(test_one_does_not_stop_the_others),
		REGISTRY_TEST(test_they_are_judged_in_their_turn),
		REGISTRY_TEST(test_failing_at_each_call),
		REGISTRY_TEST(test_connection_lost_at_each_call),
		REGISTRY_TEST(test_killed_at_each_call),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
