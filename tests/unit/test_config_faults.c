/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All that is wrong with a configuration is told at once, and nothing that only follows from what
 * is told. More rows, as --check says it, are in tests/e2e/test_config.py. */
#include "support.h"

#include "base/macros.h"
#include "config/config.h"

#define SOURCE "\"kind\":\"artifactory\",\"url\":\"http://h/\""

struct row {
	const char *json;
	const char *told[7];
};

static const struct row rows[] = {
	{"{\"software-update\":{\"download\":{\"attempts\":\"x\"},\"source\":[{\"name\":"
	 "\"a\"," SOURCE ",\"username\":\"u\"}]}}",
	 {"attempts is \"x\"", "source[name='a']/username is \"u\": needs a password-file"}},
	/* A url that is refused is not missing, and a password-file neither. */
	{"{\"software-update\":{\"source\":[{\"name\":\"a\",\"kind\":\"artifactory\",\"url\":\"x\","
	 "\"username\":\"u\",\"password-file\":\"p\"}]}}",
	 {"source[name='a']/url is \"x\"", "source[name='a']/password-file is \"p\""}},
	/* That of another entry is. */
	{"{\"software-update\":{\"source\":[{\"name\":\"a\"," SOURCE
	 ",\"username\":\"u\",\"password-file\":\"p\"},{\"name\":\"b\"," SOURCE
	 ",\"username\":\"u\"}]}}",
	 {"source[name='a']/password-file is \"p\"", "source[name='b']/username is \"u\": needs"}},
	{"{\"software-update\":{\"source\":[{\"kind\":1," SOURCE
	 "},{\"name\":\"b b\",\"username\":\"u\","
	 "\"kind\":\"conductor\"},7]}}",
	 {"source[1]: \"name\" is missing", "source[1]/kind is 1",
	  "source[1]: \"kind\" stands twice", "source[2]/name is \"b b\"", "source is 7",
	  "source[2]: \"url\" is missing", "source[2]/username is \"u\": needs"}},
	{"{\"node\":1,\"configuration-integrity\":{\"directory\":[\"/a\",\"/a\",\"/a\",\"b\"]}}",
	 {"/node is 1", "directory is \"b\"", "directory[.='/a']: stands twice"}},
	{"{\"high-availability\":{\"peer-node\":\"n\"},\"nonsense\":{},\"software-update\":"
	 "{\"max-bandwidth\":1.5}}",
	 {"\"nonsense\" not found", "max-bandwidth is 1.5", "peer-node and peer-url"}},
	/* The default of nv-index is no value of the operator's. */
	{"{\"configuration-integrity\":{\"nv-index\":\"x\",\"pcr\":[7],\"policy-key\":\"/k\","
	 "\"policy-nv-index\":\"0x01800128\"}}",
	 {"nv-index is \"x\""}},
	{"{\"software-update\":[],\"high-availability\":{\"peer-node\":[],\"peer-url\":\"http://x/"
	 "\"}}",
	 {"software-update is []: must be an object", "peer-node is []"}},
	{"{\"software-update\":{\"source\":{},\"trusted-key\":\"x\",\"download\":7}}",
	 {"source is {}: must be an array of objects", "trusted-key is \"x\": must be an array",
	  "download is 7: must be an object"}},
	{"{\"@nonsense\":{},\"@\":1,\"software-update\":{\"@a:b\":[]}}",
	 {"router: \"@nonsense\" is an annotation", "router: \"@\" is an annotation",
	  "software-update: \"@a:b\" is an annotation"}},
};

static unsigned count(const char *text, const char *part)
{
	unsigned n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void test_all_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		unsigned n = 0;
		struct err err;

		assert_int_equal(config_check_router(rows[i].json, &err), -EINVAL);
		while (n < N_ELEMENTS(rows[i].told) && rows[i].told[n]) {
			if (count(err.text, rows[i].told[n]) != 1)
				fail_msg("%zu: \"%s\" not once in: %s", i, rows[i].told[n],
					 err.text);
			n++;
		}
		if (count(err.text, "; ") + 1 != n)
			fail_msg("%zu: %u were expected: %s", i, n, err.text);
	}
}

/* The error names what it has room for, and counts the others; those go to whoever asks. */
static void test_more_than_there_is_room_for(void **state)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "steward.json");
	struct config *config = NULL;
	char json[4096] = "{\"steward:router\":{\"software-update\":{\"source\":[";
	char *untold = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&untold, &size);
	char more[32];
	struct err err;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		(void)snprintf(json + strlen(json), sizeof(json) - strlen(json),
			       "%s{\"name\":\"s%u\",\"kind\":\"any\",\"url\":\"x\"}", i ? "," : "",
			       i);
	(void)strcat(json, "]}}}");
	test_write(path, span_of_string(json));
	assert_int_equal(config_load_to_check(&config, path, CONFIG_ROUTER, out, &err), -EINVAL);
	(void)fclose(out);
	(void)snprintf(more, sizeof(more), "; and at least %u more",
		       64 - count(err.text, " is \""));
	assert_string_equal(err.text + strlen(err.text) - strlen(more), more);
	assert_int_equal(count(err.text, " is \"") + count(untold, " is \""), 64);
	assert_null(config);
	free(untold);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
