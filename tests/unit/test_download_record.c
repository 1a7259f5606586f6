/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request.json: what was written is read again, and nonsense is refused or passed over. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>

#include "download/download_private.h"

static void begin(struct download *d, char *folder)
{
	const struct engine_limits limits = {.concurrency = 1};

	memset(d, 0, sizeof(*d));
	d->directory = folder;
	(void)snprintf(d->version, sizeof(d->version), "V1");
	d->recorded_source = NOT_RECORDED;
	engine_init(&d->engine, &limits, 1, 1000);
}

/* What a daemon that is started afterwards knows of it. */
static void write_and_read(struct download *d, struct download *ret)
{
	char *text = download_record_text(d);
	struct err err;

	assert_non_null(text);
	test_write(test_path(d->directory, "request.json"), span_of_string(text));
	begin(ret, d->directory);
	assert_int_equal(download_record_read(ret, &err), 0);
	free(text);
}

static void test_turns(void **state)
{
	char *folder = test_folder();
	struct download before, after;

	(void)state;
	for (enum engine_turn turn = TURN_FREE; turn <= TURN_COME; turn++) {
		begin(&before, folder);
		engine_set_turn(&before.engine, turn);
		write_and_read(&before, &after);
		assert_int_equal(after.engine.turn, turn);
	}
	test_folder_remove(folder);
}

/* Only of the image that is being downloaded. */
static void test_imported_at_peer(void **state)
{
	char *folder = test_folder();
	struct download before, after;

	(void)state;
	for (unsigned same = 0; same < 2; same++) {
		begin(&before, folder);
		memset(before.manifest.digest, 0xa5, DIGEST_SIZE);
		memset(before.imported_at_peer, same ? 0xa5 : 0x5a, DIGEST_SIZE);
		before.engine.has_image = true;
		write_and_read(&before, &after);
		memcpy(after.manifest.digest, before.manifest.digest, DIGEST_SIZE);
		assert_int_equal(download_is_imported(&after), same);
	}
	test_folder_remove(folder);
}

static void test_nonsense(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} rows[] = {
		{"", -EBADMSG},
		{"{}", -EBADMSG},
		{"{\"state\":\"nearly-there\"}", -EBADMSG},
		{"{\"state\":\"paused\",\"attempt\":-1,\"used-ms\":\"x\",\"sources\":[1,{}]}", 0},
		{"{\"state\":\"paused\",\"imported-at-peer\":\"a5\"}", 0},
		{"{\"state\":\"paused\",\"imported-at-peer\":5}", 0},
	};
	char *folder = test_folder();
	struct download d;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_write(test_path(folder, "request.json"), span_of_string(rows[i].text));
		begin(&d, folder);
		if (download_record_read(&d, &err) != rows[i].rc)
			fail_msg("row %u", i);
		assert_int_equal(d.imported_at_peer[0], 0);
		if (rows[i].rc == 0)
			assert_int_equal(d.engine.attempt, 1);
		else
			assert_contains(err.text, "request.json");
	}
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_imported_at_peer),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
