/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handshakes that come to their commit at the same time: what they are told, and when. */
#include "registry_calls.h"
#include "registry_lists.h"
#include "support.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/macros.h"
#include "conductor/enrolment/enrolment_commits.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_tokens.h"

#define N_MAX  (ENROLMENT_COMMITS_MAX + 8)
#define SECRET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"

struct waiting {
	struct world *world;
	struct enrolment_handshake handshake;
	struct enrolment_commit commit;
	unsigned turn; /* in which it was told; 0 = not yet */
};

struct world {
	char *folder;
	uv_loop_t loop;
	struct enrolment_context context;
	struct enrolment_commits commits;
	struct tls_context *tls;
	struct waiting waiting[N_MAX];
	unsigned n;
	unsigned n_told;
	/* The only worker is held until all have come. */
	struct work hold;
	uv_sem_t go;
	/* Of sync_keys(): */
	unsigned n_synced;
	size_t n_in_registry; /* enrolments, at the last one */
	bool any_was_told;    /* while it ran */
	bool sync_fails;
};

static const struct registry_origin origin = {.address = "192.0.2.1", .time_s = 1};

static int sync_keys(void *owner, struct err *err)
{
	struct world *w = owner;
	struct registry_authorized_key *rows;
	int rc = list_keys(w->context.registry, &rows, &w->n_in_registry, err);

	if (rc < 0)
		return rc;
	free(rows);
	for (size_t i = 0; i < w->commits.n_batch; i++)
		if (w->commits.batch[i]->handshake->outcome != ENROLMENT_UNDER_WAY)
			w->any_was_told = true;
	w->n_synced++;
	return w->sync_fails ? err_set(err, -ENOSPC, "no room for the keys") : 0;
}

static void set_up_world(struct world *w)
{
	char *uri;
	struct err err;

	memset(w, 0, sizeof(*w));
	w->folder = test_folder();
	assert_true(asprintf(&uri, "sqlite:%s", test_path(w->folder, "registry")) > 0);
	assert_int_equal(registry_open(&w->context.registry, uri, "c0", &err), 0);
	free(uri);
	assert_int_equal(tls_context_new_client(&w->tls, NULL, &err), 0);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_int_equal(uv_sem_init(&w->go, 0), 0);
	enrolment_commits_init(&w->commits, &(struct enrolment_commits_options){
						    .loop = &w->loop,
						    .registry = w->context.registry,
						    .sync_keys = sync_keys,
						    .owner = w,
					    });
}

static void tear_down_world(struct world *w)
{
	enrolment_commits_release(&w->commits);
	for (unsigned i = 0; i < w->n; i++) {
		tls_channel_free(w->waiting[i].handshake.tls.channel);
		enrolment_handshake_close(&w->waiting[i].handshake);
	}
	tls_context_free(w->tls);
	uv_sem_destroy(&w->go);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	registry_close(w->context.registry);
	test_folder_remove(w->folder);
}

static void configure(struct world *w, unsigned i, char router[8], char jti[TOKEN_JTI_SIZE])
{
	struct registry *r = w->context.registry;
	struct registry_token_order order = {.router = router,
					     .jti = jti,
					     .expires_s = INT64_MAX / 2,
					     .certificate = span_of_string("a certificate")};
	struct registry_claims claims;
	char asset_id[8];
	struct err err;

	(void)snprintf(router, 8, "r%u", i);
	(void)snprintf(asset_id, sizeof(asset_id), "A%u", i);
	(void)snprintf(jti, TOKEN_JTI_SIZE, "%032x", i);
	assert_int_equal(registry_node_set_asset_id(r, router, "n0", asset_id, &origin, &err), 0);
	assert_int_equal(registry_router_set_secret(r, router, SECRET, &origin, &err), 0);
	assert_int_equal(registry_router_set_mode(r, router, ONBOARDING_PSK_ONLY, &origin, &err),
			 0);
	assert_int_equal(registry_token_issue(r, &order, &origin, &claims, &err), 0);
	registry_claims_release(&claims);
}

/* As far as one is that asks for its commit. */
static void bring_to_commit(struct world *w, struct enrolment_handshake *h, unsigned i)
{
	static const uint8_t head[] = "\0\0\0\x0bssh-ed25519\0\0\0\x20";
	const struct handshake_conductor_setup setup = {.conductor_certificate =
								span_of_string("a certificate")};
	struct handshake_conductor *steps = calloc(1, sizeof(*steps));
	struct handshake_enrolment *enrolment = &steps->enrolment;
	struct err err;

	assert_int_equal(tls_channel_open(&h->tls.channel, w->tls, &err), 0);
	enrolment_handshake_open(h, &w->context, "192.0.2.1");
	assert_int_equal(handshake_conductor_init(steps, &setup, &err), 0);
	steps->state = HANDSHAKE_CONDUCTOR_COMMITTING;
	steps->verified = true;
	assert_int_equal(transcript_set_secret(&steps->transcript, span_of_string(SECRET)), 0);
	configure(w, i, steps->candidate.claims.router, steps->hello.jti);
	(void)snprintf(steps->hello.asset_id, sizeof(steps->hello.asset_id), "A%u", i);
	memcpy(steps->hello.router, steps->candidate.claims.router, sizeof(steps->hello.router));
	steps->candidate.claims.mode = ONBOARDING_PSK_ONLY;
	memcpy(steps->candidate.claims.secret, SECRET, sizeof(steps->candidate.claims.secret));
	memcpy(enrolment->ssh_key, head, sizeof(head) - 1);
	enrolment->ssh_key[sizeof(head)] = (uint8_t)(i + 1);
	enrolment->pin.kind = REGISTRY_PIN_SSH_KEY;
	registry_digest(span_of(enrolment->ssh_key, sizeof(enrolment->ssh_key)),
			enrolment->pin.digest);
	h->steps = steps;
	h->waits = true;
}

static void on_told(struct enrolment_commit *commit)
{
	struct waiting *waiting = container_of(commit, struct waiting, commit);

	assert_int_equal(waiting->turn, 0);
	waiting->turn = ++waiting->world->n_told;
}

static void wait_for_go(struct work *work)
{
	uv_sem_wait(&container_of(work, struct world, hold)->go);
}

static void on_held(struct work *work)
{
	(void)work;
}

static void bring(struct world *w, unsigned n)
{
	for (w->n = 0; w->n < n; w->n++) {
		struct waiting *waiting = &w->waiting[w->n];

		waiting->world = w;
		bring_to_commit(w, &waiting->handshake, w->n);
		waiting->commit = (struct enrolment_commit){.handshake = &waiting->handshake,
							    .done = on_told};
	}
}

/* They all wait before the first batch is taken. */
static void commit_all(struct world *w)
{
	work_submit(&w->loop, &w->hold, wait_for_go, on_held);
	for (unsigned i = 0; i < w->n; i++)
		enrolment_commits_add(&w->commits, &w->waiting[i].commit);
	uv_sem_post(&w->go);
	assert_int_equal(uv_run(&w->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(w->n_told, w->n);
	assert_false(w->any_was_told);
	for (unsigned i = 0; i < w->n; i++) {
		assert_int_equal(w->waiting[i].turn, i + 1);
		assert_false(w->waiting[i].handshake.waits);
	}
}

static void assert_outcome(const struct world *w, unsigned i, enum enrolment_outcome outcome)
{
	const struct enrolment_handshake *h = &w->waiting[i].handshake;

	if (h->outcome != outcome)
		fail_msg("%u: outcome %u, not %u: %s", i, h->outcome, outcome, h->err.text);
}

static void test_one_file_for_all(void **state)
{
	static struct world w;

	(void)state;
	set_up_world(&w);
	bring(&w, 20);
	commit_all(&w);
	for (unsigned i = 0; i < w.n; i++)
		assert_outcome(&w, i, ENROLMENT_ENROLLED);
	assert_int_equal(w.n_synced, 1);
	assert_int_equal(w.n_in_registry, 20);
	tear_down_world(&w);
}

/* The registry has what the handshake proved: by what it is pinned, its SSH key, its PCRs. */
static void test_what_is_written(void **state)
{
	static struct world w;
	const struct handshake_enrolment *enrolment;
	struct registry_enrolment *rows;
	struct err err;
	size_t n;

	(void)state;
	set_up_world(&w);
	bring(&w, 1);
	w.waiting[0].handshake.steps->enrolment.has_pcrs = true;
	memset(w.waiting[0].handshake.steps->enrolment.pcrs, 0x11, sizeof(enrolment->pcrs));
	enrolment = &w.waiting[0].handshake.steps->enrolment;
	commit_all(&w);
	assert_outcome(&w, 0, ENROLMENT_ENROLLED);
	assert_int_equal(list_enrolments(w.context.registry, NULL, &rows, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].router, "r0");
	assert_string_equal(rows[0].address, "192.0.2.1");
	assert_int_equal(rows[0].pin.kind, REGISTRY_PIN_SSH_KEY);
	assert_memory_equal(rows[0].pin.digest, enrolment->pin.digest, REGISTRY_DIGEST_SIZE);
	assert_memory_equal(rows[0].ssh_key, enrolment->ssh_key, sizeof(rows[0].ssh_key));
	assert_true(rows[0].has_pcrs);
	assert_memory_equal(rows[0].pcrs, enrolment->pcrs, sizeof(rows[0].pcrs));
	free(rows);
	tear_down_world(&w);
}

static void test_more_than_a_batch(void **state)
{
	static struct world w;

	(void)state;
	set_up_world(&w);
	bring(&w, N_MAX);
	commit_all(&w);
	for (unsigned i = 0; i < w.n; i++)
		assert_outcome(&w, i, ENROLMENT_ENROLLED);
	assert_int_equal(w.n_synced, 2);
	tear_down_world(&w);
}

static void test_one_alone(void **state)
{
	static struct world w;

	(void)state;
	set_up_world(&w);
	bring(&w, 1);
	commit_all(&w);
	assert_outcome(&w, 0, ENROLMENT_ENROLLED);
	assert_int_equal(w.n_synced, 1);
	tear_down_world(&w);
}

/* Refused, and not decidable: both alone. */
static void test_the_others_are_enrolled(void **state)
{
	static struct world w;
	struct err err;

	(void)state;
	set_up_world(&w);
	bring(&w, 4);
	assert_int_equal(registry_router_set_mode(w.context.registry, "r1", ONBOARDING_DISABLED,
						  &origin, &err),
			 0);
	w.waiting[2].handshake.steps->enrolment.ssh_key[0] = 1;
	commit_all(&w);
	assert_outcome(&w, 0, ENROLMENT_ENROLLED);
	assert_outcome(&w, 1, ENROLMENT_REFUSED);
	assert_true(w.waiting[1].handshake.denied);
	assert_contains(w.waiting[1].handshake.err.text, "changed during the handshake");
	assert_outcome(&w, 2, ENROLMENT_RETRY_LATER);
	assert_contains(w.waiting[2].handshake.err.text, "no ssh-ed25519 key");
	assert_outcome(&w, 3, ENROLMENT_ENROLLED);
	assert_int_equal(w.n_synced, 1);
	assert_int_equal(w.n_in_registry, 2);
	tear_down_world(&w);
}

/* Without its key in the file nobody is told "done"; who was refused stays so. */
static void test_keys_cannot_be_written(void **state)
{
	static struct world w;
	struct err err;

	(void)state;
	set_up_world(&w);
	w.sync_fails = true;
	bring(&w, 3);
	assert_int_equal(registry_router_set_mode(w.context.registry, "r1", ONBOARDING_DISABLED,
						  &origin, &err),
			 0);
	commit_all(&w);
	assert_outcome(&w, 0, ENROLMENT_RETRY_LATER);
	assert_contains(w.waiting[0].handshake.err.text, "no room for the keys");
	assert_outcome(&w, 1, ENROLMENT_REFUSED);
	assert_outcome(&w, 2, ENROLMENT_RETRY_LATER);
	tear_down_world(&w);
}

/* Nobody was enrolled: no file is written. */
static void test_all_are_refused(void **state)
{
	static struct world w;
	struct err err;

	(void)state;
	set_up_world(&w);
	bring(&w, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(registry_router_set_mode(w.context.registry, i ? "r1" : "r0",
							  ONBOARDING_DISABLED, &origin, &err),
				 0);
	commit_all(&w);
	assert_outcome(&w, 0, ENROLMENT_REFUSED);
	assert_outcome(&w, 1, ENROLMENT_REFUSED);
	assert_int_equal(w.n_synced, 0);
	tear_down_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_file_for_all),
		cmocka_unit_test(test_what_is_written),
		cmocka_unit_test(test_more_than_a_batch),
		cmocka_unit_test(test_one_alone),
		cmocka_unit_test(test_the_others_are_enrolled),
		cmocka_unit_test(test_keys_cannot_be_written),
		cmocka_unit_test(test_all_are_refused),
	};

	(void)setenv("UV_THREADPOOL_SIZE", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
