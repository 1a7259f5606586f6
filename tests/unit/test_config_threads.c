/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configurations that are refused on several threads at once, as conductord's workers do: each is
 * told what is wrong with its own. */
#include "support.h"

#include <uv.h>

#include "base/macros.h"
#include "config/config.h"

#define ROUNDS 100
#define HEAD                                                                                       \
	"{\"steward:conductor\":{\"name\":\"c0\",\"address\":\"192.0.2.1\","                       \
	"\"certificate\":\"/c.pem\",\"private-key\":\"/k.pem\","

/* Refused while it is read, and as a whole: only the latter is printed for its message. */
static const struct {
	const char *json;
	const char *reason;
} rows[] = {
	{HEAD "\"ca-certificate\":\"/ca.pem\",\"port\":0}}", "must be 1..65535"},
	{HEAD "\"port\":930}}", "ca-certificate"},
	{HEAD "\"ca-certificate\":\"/ca.pem\",\"registry\":\"mysql://db/x\"}}",
	 "must be sqlite:/path"},
	{HEAD "\"ca-certificate\":\"/ca.pem\",\"device-id-crl\":\"/r.pem\"}}",
	 "needs a device-id-ca"},
};

struct loader {
	uv_barrier_t *start;
	unsigned row;
	unsigned n_told_wrong;
	char path[256];
	char wrong[256]; /* the last of them */
};

static void load_again_and_again(void *argument)
{
	struct loader *l = argument;

	(void)uv_barrier_wait(l->start);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct config *config = NULL;
		struct err err = {0};

		if (config_load(&config, l->path, CONFIG_CONDUCTOR, &err) < 0 &&
		    strstr(err.text, rows[l->row].reason))
			continue;
		l->n_told_wrong++;
		(void)snprintf(l->wrong, sizeof(l->wrong), "%s", err.text);
		config_free(config);
	}
}

static void test_each_is_told_its_own(void **state)
{
	char *folder = test_folder();
	struct loader loaders[N_ELEMENTS(rows)];
	uv_thread_t threads[N_ELEMENTS(rows)];
	uv_barrier_t start;

	(void)state;
	assert_int_equal(uv_barrier_init(&start, N_ELEMENTS(rows)), 0);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%u.json", i);
		loaders[i] = (struct loader){.row = i, .start = &start};
		(void)snprintf(loaders[i].path, sizeof(loaders[i].path), "%s",
			       test_path(folder, name));
		test_write(loaders[i].path, span_of_string(rows[i].json));
		assert_int_equal(uv_thread_create(&threads[i], load_again_and_again, &loaders[i]),
				 0);
	}
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(uv_thread_join(&threads[i]), 0);
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (loaders[i].n_told_wrong > 0)
			fail_msg("%u times instead of %s: %s", loaders[i].n_told_wrong,
				 rows[i].reason, loaders[i].wrong);
	uv_barrier_destroy(&start);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_told_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
