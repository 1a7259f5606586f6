/* What is read is a regular file, and nobody waits for what somebody put in its place. */
#include "support.h"

#include <sys/stat.h>

#include "core/atomic_file.h"
#include "core/macros.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_not_regular)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
