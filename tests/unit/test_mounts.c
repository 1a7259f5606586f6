/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where filesystems are mounted, and where they should be. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/macros.h"
#include "integrity/mounts.h"

/* What `systemd-escape --path` says of each. */
static void test_unit_names(void **state)
{
	static const struct {
		const char *path;
		const char *name;
	} rows[] = {
		{"/var", "var"},
		{"/var/lib/steward", "var-lib-steward"},
		{"//var//lib/", "var-lib"},
		{"/var/.hidden", "var-.hidden"},
		{"/.hidden", "\\x2ehidden"},
		{"/etc/a-b", "etc-a\\x2db"},
		{"/srv/with space", "srv-with\\x20space"},
		{"/srv/\xc3\xa4", "srv-\\xc3\\xa4"},
		{"/srv/a:b_C.d", "srv-a:b_C.d"},
	};
	char name[MOUNT_UNIT_SIZE];
	char path[2 * MOUNT_UNIT_SIZE];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(mount_unit_name(rows[i].path, name), 0);
		assert_string_equal(name, rows[i].name);
	}
	memset(path, '-', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(mount_unit_name(path, name), -ENAMETOOLONG);
}

static void test_mounted(void **state)
{
	char where[PATH_MAX] = "untouched";
	struct failure f = {0};

	(void)state;
	assert_false(mount_missing("/proc/self/nothing", where));
	assert_false(mount_missing("relative", where));
	assert_string_equal(where, "untouched");
	assert_int_equal(mount_check("/proc/self", &f), 0);
	assert_int_equal(mount_of("/proc/self/fd/nothing/there", where, &f), 0);
	assert_string_equal(where, "/proc");
	assert_true(mount_of("relative", where, &f) < 0);
	assert_int_equal(f.cause, CAUSE_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unit_names),
		cmocka_unit_test(test_mounted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
