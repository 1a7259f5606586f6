/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the HA peer answers: believed only where it is the answer to what was asked. */
#include "support.h"

#include "base/macros.h"
#include "download/ha_status.h"
#include "download/peer_pieces.h"

#define HAS(state) "{\"version\":\"V1\",\"state\":\"" state "\"}"

static void test_states(void **state)
{
	static const struct {
		const char *json;
		enum engine_peer expected;
	} rows[] = {
		{HAS("queued"), PEER_WORKING},
		{HAS("checking"), PEER_WORKING},
		{HAS("discovering"), PEER_WORKING},
		{HAS("downloading"), PEER_WORKING},
		{HAS("waiting-retry"), PEER_WORKING},
		{HAS("finishing"), PEER_WORKING},
		{HAS("complete"), PEER_HAS_IT},
		{HAS("failed"), PEER_GAVE_UP},
		{HAS("cancelled"), PEER_GAVE_UP},
		{HAS("paused"), PEER_NOTHING},
		{HAS("waiting-peer"), PEER_NOTHING}, /* both would wait for ever */
		{"{\"x\":[1,{\"y\":2}],\"state\":\"queued\",\"version\":\"V1\"}", PEER_WORKING},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		enum engine_peer found = PEER_GAVE_UP;
		enum engine_state named;
		struct err err;

		if (ha_status_parse(span_of_string(rows[i].json), "V1", &found, &named, &err) < 0)
			fail_msg("%s: %s", rows[i].json, err.text);
		if (found != rows[i].expected)
			fail_msg("%s", rows[i].json);
		assert_contains(rows[i].json, engine_state_name(named));
	}
}

static void test_nonsense(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"null",
		"[]",
		"\"complete\"",
		"<html>complete</html>",
		"{\"version\":\"V1\"}",
		"{\"state\":\"complete\"}",
		"{\"version\":\"V2\",\"state\":\"complete\"}",
		"{\"version\":1,\"state\":\"complete\"}",
		"{\"version\":\"V1\",\"state\":7}",
		HAS("done"),
		HAS(""),
		HAS("Complete"),
		HAS("complete "),
		"{\"version\":\"V1\",\"state\":\"complete\",\"state\":\"failed\"}",
		HAS("complete") "x",
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		enum engine_peer found = PEER_GAVE_UP;
		enum engine_state named;
		struct err err = {0};

		if (ha_status_parse(span_of_string(rows[i]), "V1", &found, &named, &err) !=
		    -EBADMSG)
			fail_msg("%s", rows[i]);
		assert_int_equal(found, PEER_GAVE_UP);
		assert_true(err.text[0] != '\0');
	}
}

static void test_bitmaps(void **state)
{
	static const struct {
		uint8_t bytes[3];
		size_t size;
		uint32_t n_pieces;
		bool valid;
	} rows[] = {
		{{0x80}, 1, 1, true},
		{{0x00}, 1, 1, true},
		{{0xff}, 1, 8, true},
		{{0xff, 0x80}, 2, 9, true},
		{{0xff, 0xff}, 2, 16, true},
		{{0xff, 0xe0}, 2, 11, true},
		{{0xc0}, 1, 1, false}, /* a piece that does not exist */
		{{0xff, 0xc0}, 2, 9, false},
		{{0x01}, 1, 7, false},
		{{0xff}, 1, 9, false}, /* too short */
		{{0xff}, 0, 8, false},
		{{0xff, 0x00}, 2, 8, false}, /* too long */
		{{0xff, 0x00, 0x00}, 3, 16, false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (peer_pieces_are_valid(span_of(rows[i].bytes, rows[i].size), rows[i].n_pieces) !=
		    rows[i].valid)
			fail_msg("row %u", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_bitmaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
