/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A router's onboarding when something around it fails: nothing is lost by that, and nothing is
 * told over and over. */
#include "onboarding_world.h"

#include <sys/stat.h>

#include "base/macros.h"
#include "faults.h"

static const struct pki *pki_of(void **state)
{
	return *state;
}

/* Whatever replaces that file cannot be written any more, or can again. */
static void block(const struct onboarding_world *w, const char *file)
{
	assert_int_equal(mkdir(test_path(w->folder, file), 0700), 0);
}

static void unblock(const struct onboarding_world *w, const char *file)
{
	assert_int_equal(rmdir(test_path(w->folder, file)), 0);
}

/* The configuration is there, the state is not kept: no reboot, and the conductor asks again. */
static void test_initialization_that_cannot_be_kept(void **state)
{
	struct onboarding_world r;
	struct err err;

	router_make(&r, pki_of(state));
	router_save(r.pki, r.folder, ONBOARDING_FILE, ONBOARDING_CONNECTED, FIRST);
	router_start(&r);
	block(&r, ONBOARDING_FILE ".new");
	assert_true(onboarding_initialize(r.onboarding, "{}", &err) < 0);
	assert_contains(err.text, ONBOARDING_FILE);
	router_expect(&r, "connected", FIRST, "");
	router_turn_for(&r, 800);
	assert_int_equal(router_reboots(&r), 0);
	unblock(&r, ONBOARDING_FILE ".new");
	assert_int_equal(onboarding_initialize(r.onboarding, "{}", &err), 0);
	router_expect(&r, "initializing", FIRST, "");
	router_turn_for(&r, 800);
	assert_int_equal(router_reboots(&r), 1);
	router_stop(&r);
	test_folder_remove(r.folder);
}

/* A token that comes back with the next start is not taken back. */
static void test_token_that_cannot_be_taken_back(void **state)
{
	struct onboarding_world r;
	struct err err;

	router_make(&r, pki_of(state));
	router_save(r.pki, r.folder, ONBOARDING_FILE, ONBOARDING_ONBOARDED, FIRST);
	router_save(r.pki, r.folder, ONBOARDING_NEXT_FILE, ONBOARDING_REFUSED, SECOND);
	router_start(&r);
	assert_int_equal(unlink(test_path(r.folder, ONBOARDING_NEXT_FILE)), 0);
	block(&r, ONBOARDING_NEXT_FILE);
	assert_int_equal(router_apply(&r, FIRST, &err), -EISDIR);
	assert_contains(err.text, "not taken back: remove");
	router_expect(&r, "onboarded", FIRST, SECOND);
	unblock(&r, ONBOARDING_NEXT_FILE);
	assert_int_equal(router_apply(&r, FIRST, &err), 0);
	router_expect(&r, "onboarded", FIRST, "");
	router_stop(&r);
	test_folder_remove(r.folder);
}

/* A token for two nodes, and this one's asset-id is not configured: nothing is taken. One that was
 * taken while it was configured is kept until it is so again. */
static void test_asset_id_that_is_missing(void **state)
{
	struct onboarding_world r;
	char *token = router_token(pki_of(state), SECOND, 2);
	char *document = router_document_of(token, "\"127.0.0.1\"");
	struct err err;

	router_make(&r, pki_of(state));
	r.asset_id = NULL;
	router_start(&r);
	assert_int_equal(router_apply(&r, FIRST, &err), 0);
	assert_int_equal(router_apply_document(&r, document, &err), -EINVAL);
	assert_contains(err.text, "for 2 nodes: configure this one's asset-id");
	router_expect(&r, "handshaking", FIRST, "");
	router_stop(&r);
	r.asset_id = "A0";
	router_start(&r);
	assert_int_equal(router_apply_document(&r, document, &err), 0);
	router_stop(&r);
	r.asset_id = NULL;
	router_start(&r);
	router_expect(&r, "retrying", SECOND, "");
	router_stop(&r);
	r.asset_id = "A1";
	router_start(&r);
	router_turn_for(&r, 100);
	router_expect(&r, "retrying", SECOND, "");
	assert_true(r.changes > 0); /* it was tried, and nobody was there */
	router_stop(&r);
	token_text_free(&token);
	free(document);
	test_folder_remove(r.folder);
}

/* Whichever allocation fails at the start of a try: the token is there after it. */
static void test_memory_that_runs_out(void **state)
{
	struct onboarding_world r;
	bool failed = true;

	router_make(&r, pki_of(state));
	for (unsigned n = 1; failed; n++) {
		struct onboarding_record record;
		struct err err;

		router_save(r.pki, r.folder, ONBOARDING_FILE, ONBOARDING_RETRYING, FIRST);
		router_start(&r);
		assert_int_equal(router_apply(&r, FIRST, &err), 0);
		faults_fail_allocation(n);
		router_turn_for(&r, 30);
		failed = faults_had_effect();
		router_stop(&r);
		assert_int_equal(onboarding_record_load(&record, r.folder, ONBOARDING_FILE, &err),
				 0);
		assert_int_not_equal(record.state, ONBOARDING_REFUSED);
		assert_non_null(record.token);
		onboarding_record_release(&record);
	}
	test_folder_remove(r.folder);
}

static ino_t inode(const struct onboarding_world *w, const char *file)
{
	struct stat st;

	assert_int_equal(stat(test_path(w->folder, file), &st), 0);
	return st.st_ino;
}

/* Two conductors fail in two ways, over and over: told once each, and written once. */
static void test_reasons_that_take_turns(void **state)
{
	struct onboarding_world r;
	char *token = router_token(pki_of(state), FIRST, 1);
	char *document = router_document_of(token, "\"127.0.0.1\",\"127.0.0.2\"");
	unsigned changes;
	ino_t written;
	struct err err;

	router_make(&r, pki_of(state));
	router_start(&r);
	assert_int_equal(router_apply_document(&r, document, &err), 0);
	router_turn(&r, ONBOARDING_RETRYING);
	written = inode(&r, ONBOARDING_FILE);
	router_turn_for(&r, 200); /* the second has failed by then */
	changes = r.changes;
	router_turn_for(&r, 1500); /* and both, once more */
	assert_int_equal(r.changes, changes);
	assert_int_equal(inode(&r, ONBOARDING_FILE), written);
	router_stop(&r);
	token_text_free(&token);
	free(document);
	test_folder_remove(r.folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initialization_that_cannot_be_kept),
		cmocka_unit_test(test_token_that_cannot_be_taken_back),
		cmocka_unit_test(test_asset_id_that_is_missing),
		cmocka_unit_test(test_memory_that_runs_out),
		cmocka_unit_test(test_reasons_that_take_turns),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_end);
}
