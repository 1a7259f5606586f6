/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conductor in its own registry: with the key that its sshd has now. */
#include "registry_world.h"

#include "base/base64.h"
#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"
#include "conductord/conductor.h"

static void on_closed(void *owner)
{
	*(bool *)owner = true;
}

static void run_out(struct conductor *c)
{
	while (c->node.jobs > 0)
		(void)uv_run(&c->node.loop, UV_RUN_ONCE);
}

static void expect_key(struct registry *r, const uint8_t key[SSH_KEY_ED25519_SIZE])
{
	char *text = base64_encode(span_of(key, SSH_KEY_ED25519_SIZE));
	struct registry_conductor *rows = NULL;
	size_t n = 0;
	struct err err;

	assert_ok(registry_conductors_list(r, &rows, &n, &err), &err);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].name, "c0");
	assert_memory_equal(rows[0].ssh_host_keys, text, strlen(text));
	free(rows);
	free(text);
}

/* The helper was started anew, with another key, while the first was being registered. */
static void test_key_that_comes_meanwhile(struct registry_world *w)
{
	static char name[] = "c0";
	static char address[] = "192.0.2.10";
	struct config config = {.name = name, .conductor = {.address = address, .port = 930}};
	struct conductor *c = calloc(1, sizeof(*c));
	const uint8_t *first = world_ssh_key(1).bytes;
	uint8_t second[SSH_KEY_ED25519_SIZE];
	struct host_keys one = {.has_next = 0};
	struct host_keys two = {.has_next = 0};
	struct registry_conductor self;
	char *next;
	bool closed = false;

	assert_non_null(c);
	memcpy(second, first, sizeof(second));
	second[40] ^= 1;
	memcpy(one.now, first, sizeof(one.now));
	memcpy(two.now, second, sizeof(two.now));
	assert_int_equal(sealing_keys_make(&c->own_keys, NULL), 0);
	assert_int_equal(uv_loop_init(&c->node.loop), 0);
	registration_init(&c->registration, &(struct registration_options){
						    .node = &c->node,
						    .registry = w->r,
						    .own_keys = &c->own_keys,
						    .config = &config,
					    });
	registration_run(&c->registration, &one);
	(void)usleep(100000); /* its worker has read the key; nobody was told yet */
	registration_run(&c->registration, &two);
	run_out(c);
	expect_key(w->r, second);
	assert_false(c->registration.is_stale);
	registration_run(&c->registration, &one);
	run_out(c);
	expect_key(w->r, first);
	/* The next one is told beside it. */
	one.has_next = 1;
	memcpy(one.next, second, sizeof(one.next));
	registration_run(&c->registration, &one);
	run_out(c);
	expect_key(w->r, first);
	next = base64_encode(span_of(second, sizeof(second)));
	assert_true(registration_self(&c->registration, &self));
	assert_memory_equal(strchr(self.ssh_host_keys, '\n') + 1, next, strlen(next));
	free(next);
	registration_close(&c->registration, on_closed, &closed);
	test_run_until(&c->node.loop, &closed);
	test_close_loop(&c->node.loop);
	free(c);
}

int main(void)
{
	static const struct registry_test tests[] = {
		REGISTRY_TEST(test_key_that_comes_meanwhile),
	};

	return registry_world_main(tests, N_ELEMENTS(tests));
}
