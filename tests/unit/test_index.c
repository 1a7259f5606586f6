/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which versions a repository has. */
#include "faults.h"
#include "support.h"

#include <sys/stat.h>

#include "base/macros.h"
#include "download/image/index.h"

static void test_refused(void **state)
{
	static const struct {
		const char *json;
		const char *reason; /* NULL = it is taken */
	} rows[] = {
		{"{\"versions\":[]}", NULL},
		{"{\"versions\":[{\"version\":\"V1\",\"manifest\":\"V1/manifest.jws\"}]}", NULL},
		{"{\"versions\":[{\"version\":\"V1\",\"manifest\":\"V1/manifest.jws\","
		 "\"comment\":\"later\"}],\"more\":1}",
		 NULL}, /* members of a later format are passed over */
		{"{}", "\"versions\": expected an array"},
		{"[]", "\"versions\": expected an array"},
		{"{\"versions\":{}}", "expected an array"},
		{"{\"versions\":[1]}", "\"version\": expected a string"},
		{"{\"versions\":[{\"version\":\"V1\"}]}", "\"manifest\": expected a string"},
		{"{\"versions\":[{\"version\":\"../V1\",\"manifest\":\"../V1/manifest.jws\"}]}",
		 "'../V1' is not the name of a version"},
		{"{\"versions\":[{\"version\":\"V1\",\"manifest\":\"http://x/manifest.jws\"}]}",
		 "expected 'V1/manifest.jws'"},
		{"{\"versions\":[{\"version\":\"V1\",\"manifest\":\"V2/manifest.jws\"}]}",
		 "expected 'V1/manifest.jws'"},
		{"{\"versions\":[{\"version\":\"V1\",\"manifest\":\"V1/manifest.jws\"},"
		 "{\"version\":\"V1\",\"manifest\":\"V1/manifest.jws\"}]}",
		 "version V1 stands twice"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct index index = {0};
		struct err err = {0};
		int rc = index_parse(&index, span_of_string(rows[i].json), &err);

		if ((rc == 0) != !rows[i].reason)
			fail_msg("row %u: %s", i, err.text);
		if (rows[i].reason)
			assert_contains(err.text, rows[i].reason);
		if (rc < 0)
			assert_null(index.entries);
		index_release(&index);
	}
}

static void test_too_long(void **state)
{
	size_t size = INDEX_SIZE_MAX + 1;
	char *json = malloc(size);
	struct index index;
	struct err err;

	(void)state;
	assert_non_null(json);
	memset(json, ' ', size);
	assert_int_equal(index_parse(&index, span_of(json, size), &err), -E2BIG);
	free(json);
}

static void test_written_and_found(void **state)
{
	char *folder = test_folder();
	struct index index;
	struct err err;
	size_t size;
	char *json;

	(void)state;
	(void)mkdir(test_path(folder, "V2"), 0755);
	(void)mkdir(test_path(folder, "V10"), 0755);
	(void)mkdir(test_path(folder, "V3#new"), 0755);
	(void)mkdir(test_path(folder, "empty"), 0755);
	test_write(test_path(folder, "V2/manifest.jws"), span_of_string("x"));
	test_write(test_path(folder, "V10/manifest.jws"), span_of_string("x"));
	test_write(test_path(folder, "V2/.downloaded"), span_of_string(""));
	test_write(test_path(folder, "V3#new/manifest.jws"), span_of_string("x"));
	assert_int_equal(index_write(folder, &err), 0);
	json = test_read(test_path(folder, "index.json"), &size);
	assert_true(strstr(json, "V2/") < strstr(json, "V10/")); /* as people count */
	assert_int_equal(index_parse(&index, span_of(json, size), &err), 0);
	assert_int_equal(index.n_entries, 2);
	assert_string_equal(index_find(&index, "V10")->version, "V10");
	assert_null(index_find(&index, "V3"));
	assert_true(index_find(&index, "V10")->imported);
	assert_false(index_find(&index, "V2")->imported);
	index_keep_imported(&index);
	assert_int_equal(index.n_entries, 1);
	assert_string_equal(index.entries[0].version, "V10");
	index_release(&index);
	free(json);
	test_folder_remove(folder);
	assert_int_equal(index_write("/nowhere", &err), -ENOENT);
	assert_contains(err.text, "list /nowhere");
}

static void test_memory_runs_out(void **state)
{
	static const char json[] =
		"{\"versions\":[{\"version\":\"V1\",\"manifest\":\"V1/manifest.jws\"}]}";
	unsigned n = 0;
	int rc;

	(void)state;
	do {
		struct index index = {0};
		struct err err;

		faults_fail_allocation(++n);
		rc = index_parse(&index, span_of_string(json), &err);
		assert_int_equal(rc == 0, !faults_had_effect());
		index_release(&index);
	} while (rc < 0);
	assert_true(n > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_written_and_found),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
