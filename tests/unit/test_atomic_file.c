/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is read is a regular file, and nobody waits for what somebody put in its place. */
#include "support.h"

#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/macros.h"

static void test_not_regular(void **state)
{
	char *folder = test_folder();
	const char *fifo = test_path(folder, "router.json");
	const struct {
		const char *path;
		const char *said;
	} rows[] = {
		{fifo, "it is a FIFO, expected a regular file"},
		{folder, "it is a directory, expected a regular file"},
		{"/dev/zero", "it is a device, expected a regular file"},
	};

	(void)state;
	assert_int_equal(mkfifo(fifo, 0600), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct jws_key key;
		struct err err = {0};
		char *bytes;
		size_t size;

		(void)alarm(20); /* it must not wait */
		assert_int_equal(file_read(rows[i].path, 100, &bytes, &size, &err), -EINVAL);
		assert_contains(err.text, rows[i].said);
		assert_int_equal(jws_key_load_private(&key, rows[i].path, &err), -EINVAL);
		assert_contains(err.text, rows[i].said);
		(void)alarm(0);
	}
	test_folder_remove(folder);
}

/* Who may write it decides what we do. What is configured may be a link; what we keep may not. */
static void test_owner_and_link(void **state)
{
	char *folder = test_folder();
	const char *file = test_path(folder, "file");
	const char *link = test_path(folder, "link");
	struct err err = {0};
	char *bytes;
	size_t size;

	(void)state;
	test_write(file, span_of_string("x"));
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(file_read(link, 100, &bytes, &size, &err), 0);
	free(bytes);
	assert_int_equal(file_read_regular(file, 100, &bytes, &size, &err), 0);
	free(bytes);
	assert_int_equal(file_read_regular(link, 100, &bytes, &size, &err), -EBADMSG);
	assert_contains(err.text, "link is a symbolic link, expected a regular file");

	if (geteuid() == 0) {
		assert_int_equal(chown(file, 4711, 0), 0);
		assert_int_equal(file_read(file, 100, &bytes, &size, &err), -EPERM);
		assert_contains(err.text, "it belongs to user 4711");
		assert_int_equal(file_read(link, 100, &bytes, &size, &err), -EPERM);
		assert_int_equal(file_read_regular(file, 100, &bytes, &size, &err), -EBADMSG);
		assert_contains(err.text, "expected a file of root's");
		assert_null(file_open_stream(file, &err));
	}
	file_accept_any_owner();
	assert_int_equal(file_read(file, 100, &bytes, &size, &err), 0);
	free(bytes);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_not_regular),
					   cmocka_unit_test(test_owner_and_link)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
