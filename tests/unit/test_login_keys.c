/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may log in: in sshd's file, in memory, and whose session ends. */
#include "registry_world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "conductor/registry/registry_nodes.h"
#include "conductor/tunnels/login_keys.h"

struct keys_world {
	struct registry_world *registry;
	uv_loop_t loop;
	char path[256];
	struct login_keys keys;
	unsigned gone;
	uint8_t last[SSH_KEY_ED25519_SIZE]; /* that has gone */
	bool closed;
};

static void on_gone(void *owner, const uint8_t blob[SSH_KEY_ED25519_SIZE])
{
	struct keys_world *w = owner;

	w->gone++;
	memcpy(w->last, blob, sizeof(w->last));
}

static void on_closed(void *owner)
{
	((struct keys_world *)owner)->closed = true;
}

static void begin(struct keys_world *w, struct registry_world *registry)
{
	*w = (struct keys_world){.registry = registry};
	(void)snprintf(w->path, sizeof(w->path), "%s/authorized_keys", registry->folder);
	const struct login_keys_options options = {
		.loop = &w->loop,
		.registry = registry->r,
		.path = w->path,
		.repository_port = 8930,
		.gone = on_gone,
		.owner = w,
	};

	assert_int_equal(uv_loop_init(&w->loop), 0);
	login_keys_init(&w->keys, &options);
}

static void end(struct keys_world *w)
{
	login_keys_close(&w->keys, on_closed, w);
	test_run_until(&w->loop, &w->closed);
	test_close_loop(&w->loop);
}

/* Node n<number> with the key of that number: its port. */
static uint16_t enrol(struct registry *r, unsigned number)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, number);
	struct registry_decision decision;
	char node[8];
	char asset_id[8];
	struct err err;

	(void)snprintf(node, sizeof(node), "n%u", number);
	(void)snprintf(asset_id, sizeof(asset_id), "A%u", number);
	assert_ok(registry_node_set_asset_id(r, "r0", node, asset_id, &world_origin, &err), &err);
	proof.asset_id = asset_id;
	assert_int_equal(world_enrol(r, &proof, &decision), REGISTRY_VERDICT_NEW);
	return decision.listen_port;
}

static uint16_t find(struct keys_world *w, unsigned number)
{
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	uint16_t port = 1;
	struct err err;

	authorized_key_fingerprint(world_ssh_key(number).bytes, fingerprint);
	assert_ok(login_keys_find(&w->keys, fingerprint, &port, &err), &err);
	return port;
}

static void test_whose_key_it_is(struct registry_world *registry)
{
	struct keys_world w;
	uint16_t ports[4];
	struct err err;

	world_configure(registry->r, ONBOARDING_PSK_ONLY);
	begin(&w, registry);
	for (unsigned i = 0; i < 3; i++)
		ports[i] = enrol(registry->r, i);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	/* What is known needs no registry. */
	w.keys.options.registry = NULL;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(find(&w, i), ports[i]);
	w.keys.options.registry = registry->r;
	/* What is not may have been enrolled by another conductor. */
	ports[3] = enrol(registry->r, 3);
	assert_int_equal(find(&w, 3), ports[3]);
	assert_int_equal(find(&w, 7), 0);
	end(&w);
}

/* Of four the second is taken away, then the first has another key, then the last goes. */
static void test_whose_session_ends(struct registry_world *registry)
{
	struct registry_proof proof = world_proof(ONBOARDING_PSK_ONLY, 9);
	struct registry_decision decision;
	struct keys_world w;
	uint16_t ports[4];
	struct err err;

	world_configure(registry->r, ONBOARDING_PSK_ONLY);
	begin(&w, registry);
	for (unsigned i = 0; i < 4; i++)
		ports[i] = enrol(registry->r, i);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	for (unsigned i = 0; i < 3; i++) {
		static const unsigned gone[] = {1, 0, 3};
		char node[8];

		(void)snprintf(node, sizeof(node), "n%u", gone[i]);
		assert_ok(registry_node_reset(registry->r, "r0", node, &world_origin, &err), &err);
		if (gone[i] == 0) {
			struct registry_token_order order = world_order(
				"ff0102030405060708090a0b0c0d0e0f", WORLD_NOW_S + 86400);
			struct registry_claims claims;

			assert_ok(registry_token_issue(registry->r, &order, &world_origin, &claims,
						       &err),
				  &err);
			registry_claims_release(&claims);
			proof.jti = order.jti;
			(void)world_enrol(registry->r, &proof, &decision);
		}
		assert_ok(login_keys_sync(&w.keys, &err), &err);
		while (w.gone <= i)
			(void)uv_run(&w.loop, UV_RUN_ONCE);
		assert_int_equal(w.gone, i + 1);
		assert_memory_equal(w.last, world_ssh_key(gone[i]).bytes, sizeof(w.last));
		assert_int_equal(find(&w, gone[i]), 0);
		assert_int_equal(find(&w, 2), ports[2]);
	}
	assert_int_equal(find(&w, 9), ports[0]);
	end(&w);
}

/* How often each key's port stands in the file: line by line. */
static size_t count_lines(struct keys_world *w, const char *wanted)
{
	char *text = test_read(w->path, NULL);
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, wanted)); at++)
		n++;
	free(text);
	return n;
}

static ino_t inode_of(const struct keys_world *w)
{
	struct stat st;

	assert_int_equal(stat(w->path, &st), 0);
	return st.st_ino;
}

/* A change writes its own line into the file that is there; the place of one that went is used
 * again, also by another router. */
static void test_lines_of_those_that_change(struct registry_world *registry)
{
	struct keys_world w;
	uint16_t ports[5];
	char port[32];
	struct err err;
	ino_t file;

	world_configure(registry->r, ONBOARDING_PSK_ONLY);
	begin(&w, registry);
	for (unsigned i = 0; i < 3; i++)
		ports[i] = enrol(registry->r, i);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	file = inode_of(&w);
	ports[3] = enrol(registry->r, 3);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_ok(registry_node_delete(registry->r, "r0", "n1", &world_origin, &err), &err);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_int_equal(count_lines(&w, "ssh-ed25519"), 3);
	assert_int_equal(count_lines(&w, "\n"), 4);
	/* The port of the one that went is the next one's. */
	world_configure_router(registry->r, "r1", "B0", "ff0102030405060708090a0b0c0d0e0f",
			       ONBOARDING_PSK_ONLY);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_int_equal(count_lines(&w, "\n"), 4);
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(port, sizeof(port), "permitlisten=\"localhost:%u\"", ports[i]);
		assert_int_equal(count_lines(&w, port), i != 1);
	}
	/* Nothing has changed: nothing is written. */
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_ok(registry_router_delete(registry->r, "r0", &world_origin, &err), &err);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_int_equal(count_lines(&w, "ssh-ed25519"), 0);
	assert_int_equal(inode_of(&w), file);
	end(&w);
}

/* The file that sshd looks into is made whole again, whatever was done to it. */
static void test_file_that_was_changed(struct registry_world *registry)
{
	struct keys_world w;
	struct err err;

	world_configure(registry->r, ONBOARDING_PSK_ONLY);
	begin(&w, registry);
	for (unsigned i = 0; i < 2; i++)
		(void)enrol(registry->r, i);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_int_equal(unlink(w.path), 0);
	(void)enrol(registry->r, 2);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_int_equal(count_lines(&w, "ssh-ed25519"), 3);
	assert_int_equal(truncate(w.path, 100), 0);
	(void)enrol(registry->r, 3);
	assert_ok(login_keys_sync(&w.keys, &err), &err);
	assert_int_equal(count_lines(&w, "ssh-ed25519"), 4);
	end(&w);
}

/* Each change by another conductor comes with the next look, and no other key is read for it. */
static void test_another_conductors_changes(struct registry_world *registry)
{
	struct registry *other = registry_world_open(registry, "c1");
	struct registry_key_marks marks = {0};
	struct registry_key_news news;
	struct err err;

	world_configure(registry->r, ONBOARDING_PSK_ONLY);
	for (unsigned i = 0; i < 3; i++)
		(void)enrol(registry->r, i);
	assert_ok(registry_key_news_read(registry->r, &marks, &news, &err), &err);
	assert_true(news.all);
	assert_int_equal(news.n_keys, 3);
	registry_key_news_release(&news);
	assert_ok(registry_key_news_read(registry->r, &marks, &news, &err), &err);
	assert_false(news.all);
	assert_int_equal(news.n_routers, 0);
	assert_int_equal(news.n_keys, 0);
	registry_key_news_release(&news);
	world_configure_router(other, "r1", "B0", "ff0102030405060708090a0b0c0d0e0f",
			       ONBOARDING_PSK_ONLY);
	assert_ok(registry_key_news_read(registry->r, &marks, &news, &err), &err);
	assert_false(news.all);
	assert_true(news.n_routers >= 1);
	for (size_t i = 0; i < news.n_routers; i++)
		assert_string_equal(news.routers[i], "r1");
	assert_int_equal(news.n_keys, 0);
	registry_key_news_release(&news);
	assert_ok(registry_node_reset(other, "r0", "n1", &world_origin, &err), &err);
	assert_ok(registry_key_news_read(registry->r, &marks, &news, &err), &err);
	assert_int_equal(news.n_routers, 1);
	assert_string_equal(news.routers[0], "r0");
	assert_int_equal(news.n_keys, 2);
	registry_key_news_release(&news);
	/* Rows of the audit that are gone: a backup was restored. */
	marks.each[0].sequence += 1000;
	assert_ok(registry_key_news_read(registry->r, &marks, &news, &err), &err);
	assert_true(news.all);
	assert_int_equal(news.n_keys, 2);
	registry_key_news_release(&news);
	registry_close(other);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_whose_key_it_is),
		REGISTRY_TEST(test_whose_session_ends),
		REGISTRY_TEST(test_lines_of_those_that_change),
		REGISTRY_TEST(test_file_that_was_changed),
		REGISTRY_TEST(test_another_conductors_changes),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
