/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a conductor does when a router asks for the manifest or the pieces of an image. */
#include "support.h"

#include "base/macros.h"
#include "conductord/fetch_rules.h"

#define MANIFEST .is_manifest = true
#define LISTED   .is_listed = true
#define RESTED   .is_rested = true
#define HAS(x)   .has_download = true, .state = ENGINE_##x

static const struct {
	struct fetch_question question;
	enum fetch_step step;
} rows[] = {
	/* Nothing was begun. */
	{{MANIFEST, LISTED, RESTED}, FETCH_BEGIN},
	{{MANIFEST, LISTED}, FETCH_BEGIN}, /* a record that was removed meanwhile */
	{{MANIFEST, RESTED}, FETCH_SERVE}, /* no source has it: 404 */
	{{LISTED, RESTED}, FETCH_SERVE},   /* pieces of nothing: 404, and nothing begins */
	/* The image is there, whatever its download says. */
	{{MANIFEST, LISTED, RESTED, .is_present = true}, FETCH_SERVE},
	{{MANIFEST, LISTED, RESTED, .is_present = true, HAS(CANCELLED)}, FETCH_SERVE},
	{{LISTED, .is_present = true, HAS(COMPLETE)}, FETCH_SERVE},
	/* It is under way: begun once. */
	{{MANIFEST, LISTED, RESTED, HAS(QUEUED)}, FETCH_AT_WORK},
	{{MANIFEST, LISTED, RESTED, HAS(DISCOVERING)}, FETCH_AT_WORK},
	{{MANIFEST, LISTED, RESTED, HAS(CHECKING)}, FETCH_AT_WORK},
	{{MANIFEST, RESTED, HAS(WAITING_RETRY)}, FETCH_AT_WORK}, /* the source is gone just now */
	{{MANIFEST, LISTED, HAS(WAITING_RETRY), .shares = true}, FETCH_SERVE},
	{{MANIFEST, LISTED, HAS(DOWNLOADING), .shares = true}, FETCH_SERVE},
	{{LISTED, HAS(DOWNLOADING), .shares = true}, FETCH_SERVE},
	{{HAS(DOWNLOADING), .shares = true}, FETCH_SERVE},
	{{LISTED, HAS(FINISHING), .shares = true}, FETCH_SERVE},
	{{LISTED, HAS(CHECKING)}, FETCH_AT_WORK}, /* after a power cut */
	/* It does not go on. */
	{{MANIFEST, LISTED, RESTED, HAS(PAUSED), .shares = true}, FETCH_REFUSE},
	{{LISTED, HAS(PAUSED), .shares = true}, FETCH_REFUSE},
	{{LISTED, RESTED, HAS(FAILED)}, FETCH_REFUSE},
	{{MANIFEST, LISTED, HAS(FAILED)}, FETCH_REFUSE}, /* just now */
	{{MANIFEST, LISTED, RESTED, HAS(FAILED)}, FETCH_BEGIN},
	{{MANIFEST, RESTED, HAS(FAILED)}, FETCH_REFUSE},
	/* An operator has given it up. */
	{{MANIFEST, LISTED, RESTED, HAS(CANCELLED)}, FETCH_REFUSE},
	{{LISTED, RESTED, HAS(CANCELLED)}, FETCH_REFUSE},
	/* It was complete, and the image was deleted. */
	{{MANIFEST, LISTED, RESTED, HAS(COMPLETE)}, FETCH_BEGIN},
	{{MANIFEST, LISTED, HAS(COMPLETE)}, FETCH_BEGIN},
	{{MANIFEST, RESTED, HAS(COMPLETE)}, FETCH_SERVE},
	{{LISTED, RESTED, HAS(COMPLETE)}, FETCH_SERVE},
};

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (fetch_decide(&rows[i].question) != rows[i].step)
			fail_msg("row %zu: %d", i, fetch_decide(&rows[i].question));
}

/* The sources are asked only where the answer depends on them. */
static void test_needs_list(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct fetch_question with = rows[i].question;
		struct fetch_question without = rows[i].question;

		with.is_listed = true;
		without.is_listed = false;
		assert_int_equal(fetch_needs_list(&with),
				 fetch_decide(&with) != fetch_decide(&without));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_needs_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
