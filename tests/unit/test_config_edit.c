/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A router's configuration, edited word by word: where values go, their types, and what is refused.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "config/config.h"
#include "config/config_edit.h"

#define WORDS_MAX 16

static int edit(enum config_change change, const char *json, const char *line, char **ret,
		struct err *err)
{
	char buffer[2048];
	const char *words[WORDS_MAX];
	size_t n = 0;

	assert_true(strlen(line) < sizeof(buffer));
	(void)strcpy(buffer, line);
	for (char *word = strtok(buffer, " "); word && n < WORDS_MAX; word = strtok(NULL, " "))
		words[n++] = word;
	return config_edit_router(change, json, n, words, ret, err);
}

#define MIRROR "{\"name\":\"m\",\"kind\":\"artifactory\",\"url\":\"http://x/\"}"

static void test_changes(void **state)
{
	static const struct {
		enum config_change change;
		const char *before;
		const char *line;
		const char *after;
	} rows[] = {
		{CONFIG_SET, "{}", "software-update access-mode conductor-only",
		 "{\"software-update\":{\"access-mode\":\"conductor-only\"}}"},
		/* a number is a number, and of 64 bits a string (RFC 7951) */
		{CONFIG_SET, "{}", "software-update download attempts 5",
		 "{\"software-update\":{\"download\":{\"attempts\":5}}}"},
		{CONFIG_SET, "{}", "software-update max-bandwidth 5000000000",
		 "{\"software-update\":{\"max-bandwidth\":\"5000000000\"}}"},
		{CONFIG_SET, "{}", "software-update download enable-timeout true",
		 "{\"software-update\":{\"download\":{\"enable-timeout\":true}}}"},
		/* over what is there */
		{CONFIG_SET, "{\"software-update\":{\"download\":{\"attempts\":5}}}",
		 "software-update download attempts 6",
		 "{\"software-update\":{\"download\":{\"attempts\":6}}}"},
		{CONFIG_SET, "{\"software-update\":{\"download\":{\"attempts\":5}}}",
		 "software-update download attempts 5", /* the same again */
		 "{\"software-update\":{\"download\":{\"attempts\":5}}}"},
		/* abbreviated; several at once */
		{CONFIG_SET, "{}", "sof so m k artifactory ur http://x/",
		 "{\"software-update\":{\"source\":[" MIRROR "]}}"},
		{CONFIG_SET, "{\"software-update\":{\"source\":[" MIRROR "]}}",
		 "software-update source m url http://x/",
		 "{\"software-update\":{\"source\":[" MIRROR "]}}"},
		{CONFIG_SET, "{}", "high peer-node n1 peer-url http://x/",
		 "{\"high-availability\":{\"peer-node\":\"n1\",\"peer-url\":\"http://x/\"}}"},
		{CONFIG_SET, "{}",
		 "software-update bandwidth-schedule mon-fri 22:00 05:00 max-bandwidth 1000",
		 "{\"software-update\":{\"bandwidth-schedule\":[{\"days\":\"mon-fri\",\"from\":"
		 "\"22:00\","
		 "\"to\":\"05:00\",\"max-bandwidth\":1000}]}}"},
		/* an entry of keys alone, and one value more */
		{CONFIG_SET, "{}", "software-update repository listen 0.0.0.0 80",
		 "{\"software-update\":{\"repository\":{\"listen\":[{\"address\":\"0.0.0.0\","
		 "\"port\":80}]}}}"},
		{CONFIG_SET, "{\"software-update\":{\"trusted-key\":[\"/a\"]}}",
		 "software-update trusted-key /b",
		 "{\"software-update\":{\"trusted-key\":[\"/a\",\"/b\"]}}"},
		/* and away with it */
		{CONFIG_DELETE, "{\"software-update\":{\"trusted-key\":[\"/a\",\"/b\"]}}",
		 "software-update trusted-key /a",
		 "{\"software-update\":{\"trusted-key\":[\"/b\"]}}"},
		{CONFIG_DELETE,
		 "{\"software-update\":{\"access-mode\":\"conductor-only\",\"download\":{"
		 "\"attempts\":5}}}",
		 "software-update download attempts",
		 "{\"software-update\":{\"access-mode\":\"conductor-only\"}}"},
		{CONFIG_DELETE,
		 "{\"software-update\":{\"access-mode\":\"conductor-only\",\"source\":[" MIRROR
		 "]}}",
		 "software-update source m",
		 "{\"software-update\":{\"access-mode\":\"conductor-only\"}}"},
		{CONFIG_DELETE,
		 "{\"software-update\":{\"access-mode\":\"conductor-only\",\"download\":{"
		 "\"attempts\":5}}}",
		 "software-update download",
		 "{\"software-update\":{\"access-mode\":\"conductor-only\"}}"},
		{CONFIG_DELETE, "{\"software-update\":{\"access-mode\":\"conductor-only\"}}",
		 "software-update access-mode", "{}"}, /* the last of all */
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		char *after = NULL;

		if (edit(rows[i].change, rows[i].before, rows[i].line, &after, &err) < 0)
			fail_msg("%s: %s", rows[i].line, err.text);
		if (strcmp(after, rows[i].after) != 0)
			fail_msg("%s: %s", rows[i].line, after);
		assert_int_equal(config_check_router(after, &err), 0);
		free(after);
	}
}

static void test_refused(void **state)
{
	static const struct {
		enum config_change change;
		const char *line;
		int rc;
		const char *message;
	} rows[] = {
		{CONFIG_SET, "software-update", -EINVAL, "software-update: which of its values?"},
		{CONFIG_SET, "software-update download", -EINVAL, "download: which of its values?"},
		{CONFIG_SET, "software-update nonsense 5", -EINVAL,
		 "software-update: unknown name 'nonsense', expected one of: access-mode, "},
		{CONFIG_SET, "software-update download a 5 c 5", -EINVAL,
		 "download: ambiguous name 'c': concurrency, connect-timeout"},
		{CONFIG_SET, "software-update access-mode", -EINVAL,
		 "access-mode: its value is missing"},
		{CONFIG_SET, "software-update access-mode some", -EINVAL, "found 'some'"},
		{CONFIG_SET, "software-update download attempts many", -EINVAL,
		 "software-update/download/attempts: found 'many'"},
		{CONFIG_SET, "software-update download attempts 4294967296", -EINVAL, "bounds"},
		{CONFIG_SET, "high-availability peer-patience 601", -EINVAL,
		 "must be 1..600 seconds"},
		{CONFIG_SET, "software-update source", -EINVAL, "source: its name is missing"},
		{CONFIG_SET, "software-update source m'\" url http://x/", -EINVAL,
		 "two kinds of quotes"},
		{CONFIG_SET, "software-update source m']/x url http://x/", -EINVAL, "m']/x"},
		{CONFIG_DELETE, "software-update download attempts", -ENOENT,
		 "software-update/download/attempts: it is not set"},
		{CONFIG_DELETE, "software-update source m", -ENOENT, "it is not set"},
		{CONFIG_DELETE, "software-update trusted-key", -EINVAL, "its value is missing"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		char *after = NULL;

		if (edit(rows[i].change, "{}", rows[i].line, &after, &err) != rows[i].rc)
			fail_msg("%s: %s", rows[i].line, err.text);
		assert_contains(err.text, rows[i].message);
		assert_null(after);
	}
}

static void test_completion(void **state)
{
	static const struct {
		const char *line; /* '_' = nothing typed yet */
		const char *offered;
	} rows[] = {
		{"high-availability _", "peer-node\npeer-url\npeer-patience\n"},
		{"software-update d", "download\n"},
		{"sof down c", "concurrency\nconnect-timeout\n"},
		{"software-update download attempts _", ""}, /* a value */
		{"software-update download attempts 5 w", "window\n"},
		{"software-update source _", ""}, /* a key */
		{"software-update source m u", "url\nusername\n"},
		{"software-update repository listen 0.0.0.0 _", ""},
		{"software-update trusted-key /a acc", "access-mode\n"},
		{"software-update nonsense _", ""},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char buffer[256];
		const char *words[WORDS_MAX];
		size_t n = 0;
		char *offered = NULL;
		size_t size;
		FILE *out = open_memstream(&offered, &size);

		(void)strcpy(buffer, rows[i].line);
		for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " "))
			words[n++] = strcmp(word, "_") == 0 ? "" : word;
		config_edit_complete(n, words, out);
		(void)fclose(out);
		if (strcmp(offered, rows[i].offered) != 0)
			fail_msg("%s: offered %s", rows[i].line, offered);
		free(offered);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
