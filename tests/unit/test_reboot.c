/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reboot's command: whatever it does, a reboot that does not come is told of. */
#include "support.h"

#include "base/macros.h"
#include "onboarding/router/reboot.h"

struct world {
	uv_loop_t loop;
	struct reboot reboot;
	unsigned commands;
	char reason[512];
	bool failed;
	bool closed;
};

static void on_commanding(struct reboot *r)
{
	container_of(r, struct world, reboot)->commands++;
}

static void on_failed(struct reboot *r, const char *reason)
{
	struct world *w = container_of(r, struct world, reboot);

	(void)snprintf(w->reason, sizeof(w->reason), "%s", reason);
	w->failed = true;
}

static void on_closed(struct reboot *r)
{
	container_of(r, struct world, reboot)->closed = true;
}

static const struct reboot_callbacks callbacks = {.commanding = on_commanding, .failed = on_failed};

static void test_no_reboot_came(void **state)
{
	static const struct {
		const char *script;
		const char *reason;
	} rows[] = {
		{"echo no >&2; exit 3", "sh ended with status 3: no"},
		{"exit 0", "sh ended with status 0, and no reboot came within 0 s: it said"},
		{"echo later >&2", "no reboot came within 0 s: later"}, /* a wrapper */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *const command[] = {"sh", "-c", rows[i].script, NULL};
		struct world w = {0};

		assert_int_equal(uv_loop_init(&w.loop), 0);
		reboot_init(&w.reboot, &w.loop, command, &callbacks);
		w.reboot.coming_ms = 100;
		reboot_start(&w.reboot);
		test_run_until(&w.loop, &w.failed);
		assert_contains(w.reason, rows[i].reason);
		/* It may be commanded again then. */
		w.failed = false;
		reboot_start(&w.reboot);
		test_run_until(&w.loop, &w.failed);
		assert_int_equal(w.commands, 2);
		reboot_close(&w.reboot, on_closed);
		test_run_until(&w.loop, &w.closed);
		test_close_loop(&w.loop);
	}
}

/* It is waited for; the daemon may be ended meanwhile. */
static void test_closed_while_it_comes(void **state)
{
	const char *const command[] = {"true", NULL};
	struct world w = {0};

	(void)state;
	assert_int_equal(uv_loop_init(&w.loop), 0);
	reboot_init(&w.reboot, &w.loop, command, &callbacks);
	reboot_start(&w.reboot);
	while (w.commands == 0 || w.reboot.process.state != PROCESS_IDLE)
		(void)uv_run(&w.loop, UV_RUN_ONCE);
	assert_true(uv_is_active((uv_handle_t *)&w.reboot.timer));
	assert_int_equal(w.reboot.coming_ms, 600000);
	assert_false(w.failed);
	reboot_close(&w.reboot, on_closed);
	test_run_until(&w.loop, &w.closed);
	test_close_loop(&w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_reboot_came),
		cmocka_unit_test(test_closed_while_it_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
