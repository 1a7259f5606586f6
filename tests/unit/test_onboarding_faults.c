/* A router's onboarding when something around it fails: nothing is lost by that, and nothing is
 * told over and over. */
#include "onboarding_world.h"

#include <sys/stat.h>

#include "core/macros.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initialization_that_cannot_be_kept),
		cmocka_unit_test(test_token_that_cannot_be_taken_back),
	};

	return cmocka_run_group_tests(tests, pki_make, pki_end);
}
