/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an unlock begins with is what the model makes of the same file, or there is no guess. */
#include "support.h"

#include "base/macros.h"
#include "config/config.h"
#include "faults.h"
#include "integrity/config_ahead.h"

#define ROUTER(members)                                                                            \
	"{\"steward:router\":{\"name\":\"r\",\"node\":\"n\",\"configuration-integrity\":{" members \
	"}}}"
#define CONDUCTOR(members)                                                                         \
	"{\"steward:conductor\":{\"name\":\"c\",\"address\":\"192.0.2.1\",\"certificate\":\"/c\"," \
	"\"private-key\":\"/k\",\"ca-certificate\":\"/a\",\"configuration-integrity\":{" members   \
	"}}}"
#define EVERYTHING                                                                                 \
	"\"enabled\":true,\"required\":true,\"directory\":[\"/a/b\",\"/c\"],"                      \
	"\"tcti\":\"swtpm:path=/tpm\",\"key-handle\":\"0x81010130\",\"nv-index\":\"0x01800200\","  \
	"\"record-directory\":\"/d\",\"pcr\":[7,0,23],\"pcr-bank\":\"sha384\","                    \
	"\"seal-after-boot\":true,\"seal-nv-index\":\"0x0180020a\",\"recovery-key\":\"/r.pem\","   \
	"\"policy-key\":\"/p.pem\",\"policy-nv-index\":\"0x018002ab\",\"policy-directory\":\"/p\""

static const char *write_file(const char *folder, const char *json)
{
	const char *path = test_path(folder, "steward.json");

	test_write(path, span_of_string(json));
	return path;
}

static void check_same(const char *folder, const char *json)
{
	const char *path = write_file(folder, json);
	struct config *ahead = NULL;
	struct config *config = NULL;
	struct err err;

	if (config_load_early(&config, path, CONFIG_ANY, &err) < 0)
		fail_msg("%s: %s", json, err.text);
	if (config_ahead_read(&ahead, path) < 0)
		fail_msg("%s: no guess", json);
	if (!config_integrity_equal(&ahead->integrity, &config->integrity))
		fail_msg("%s: not what the model makes of it", json);
	config_free(ahead);
	config_free(config);
}

static void test_same(void **state)
{
	static const char *const rows[] = {
		ROUTER(""), /* each default */
		CONDUCTOR(""),
		ROUTER(EVERYTHING),
		CONDUCTOR(EVERYTHING),
		ROUTER("\"enabled\":false"),
		ROUTER("\"directory\":[],\"pcr\":[]"),
		ROUTER("\"nv-index\":\"0x018AbCdE\",\"directory\":[\"/with \\u00fc\"]"),
		"{\"steward:router\":{\"name\":\"r\",\"node\":\"n\",\"secure-conductor-"
		"onboarding\":"
		"{\"secrets-directory\":\"/s\"},\"configuration-integrity\":{}}}",
	};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		check_same(folder, rows[i]);
	test_folder_remove(folder);
}

static void test_no_guess(void **state)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"{\"steward:router\":{}}",
		"{\"steward:router\":{\"configuration-integrity\":[]}}",
		"{\"steward:router\":[]}",
		ROUTER("\"tcti\":1"),
		ROUTER("\"enabled\":\"true\""),
		ROUTER("\"nv-index\":25165824"),
		ROUTER("\"directory\":[1]"),
		ROUTER("\"pcr\":[24]"),
		ROUTER("\"pcr\":[-1]"),
		ROUTER("\"pcr\":[\"7\"]"),
		"{\"steward:router\":{\"secure-conductor-onboarding\":{\"secrets-directory\":1},"
		"\"configuration-integrity\":{}}}",
	};
	struct config *untouched = NULL;
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (config_ahead_read(&untouched, write_file(folder, rows[i])) == 0)
			fail_msg("%s: a guess", rows[i]);
		assert_null(untouched);
	}
	assert_true(config_ahead_read(&untouched, test_path(folder, "missing")) < 0);
	test_folder_remove(folder);
}

/* Each member counts: what was read ahead is a guess. */
static void test_not_equal(void **state)
{
	static const char *const rows[] = {
		ROUTER("\"enabled\":false"),
		ROUTER("\"required\":true"),
		ROUTER("\"directory\":[\"/a\"]"),
		ROUTER("\"directory\":[\"/b\"]"),
		ROUTER("\"tcti\":\"x\""),
		ROUTER("\"key-handle\":\"0x81010130\""),
		ROUTER("\"nv-index\":\"0x01800200\""),
		ROUTER("\"record-directory\":\"/d\""),
		ROUTER("\"pcr\":[7]"),
		ROUTER("\"pcr-bank\":\"sha1\""),
		ROUTER("\"seal-after-boot\":true"),
		ROUTER("\"seal-nv-index\":\"0x01800200\""),
		ROUTER("\"recovery-key\":\"/r\""),
		ROUTER("\"policy-key\":\"/r\""),
		ROUTER("\"policy-nv-index\":\"0x01800200\""),
		ROUTER("\"policy-directory\":\"/r\""),
		CONDUCTOR(""),
		ROUTER(""),
	};
	struct config *read[N_ELEMENTS(rows)];
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(config_ahead_read(&read[i], write_file(folder, rows[i])), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		for (size_t n = 0; n < N_ELEMENTS(rows); n++)
			if (config_integrity_equal(&read[i]->integrity, &read[n]->integrity) !=
			    (i == n))
				fail_msg("%s and %s", rows[i], rows[n]);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		config_free(read[i]);
	test_folder_remove(folder);
}

static void test_memory_runs_out(void **state)
{
	char *folder = test_folder();
	const char *path = write_file(folder, ROUTER(EVERYTHING));
	unsigned n = 0;

	(void)state;
	do {
		struct config *config = NULL;

		faults_fail_allocation(++n);
		if (config_ahead_read(&config, path) < 0)
			assert_null(config);
		config_free(config);
	} while (faults_had_effect());
	assert_true(n > 10);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_no_guess),
		cmocka_unit_test(test_not_equal),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
