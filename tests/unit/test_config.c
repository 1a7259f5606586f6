/* The configuration as a struct: what the model fills in, and what is left untouched when it is
 * refused. Each range and default is held against the daemon in the end-to-end tests. */
#include "support.h"

#include "core/config.h"
#include "core/macros.h"
#include "download/source_list.h"

#define MINIMAL "\"name\":\"r\",\"node\":\"n\""

static struct config *load(const char *folder, const char *json, struct err *err)
{
	struct config *config = NULL;

	test_write(test_path(folder, "steward.json"), span_of_string(json));
	if (config_load(&config, test_path(folder, "steward.json"), CONFIG_ROUTER, err) < 0)
		assert_null(config);
	return config;
}

static void test_defaults(void **state)
{
	char *folder = test_folder();
	struct err err;
	struct config *c = load(folder, "{\"steward:router\":{" MINIMAL "}}", &err);
	const struct config_download *d;

	(void)state;
	if (!c)
		fail_msg("%s", err.text);
	d = &c->software_update.download;
	assert_string_equal(c->name, "r");
	assert_string_equal(c->state_directory, "/var/lib/steward");
	assert_string_equal(c->control.socket, "/run/steward/control.sock");
	assert_int_equal(c->software_update.max_bandwidth_bps, 0);
	assert_true(d->enable_timeout);
	assert_int_equal(d->timeout_s, 10800);
	assert_int_equal(d->attempts, 10);
	assert_int_equal(d->initial_retry_delay_s, 30);
	assert_int_equal(d->maximum_retry_delay_s, 3600);
	assert_int_equal(d->window, 10);
	assert_int_equal(c->software_update.n_sources, 0);
	config_free(c);
	test_folder_remove(folder);
}

static void test_refused(void **state)
{
	static const struct {
		const char *json;
		const char *path;
		const char *value;
	} rows[] = {
		{"{\"steward:router\":{" MINIMAL
		 ",\"software-update\":{\"download\":{\"concurrency\":33}}}}",
		 "concurrency", "33"},
		{"{\"steward:router\":{" MINIMAL
		 ",\"software-update\":{\"access-mode\":\"sometimes\"}}}",
		 "access-mode", "sometimes"},
		{"{\"steward:router\":{" MINIMAL ",\"nonsense\":1}}", "nonsense", ""},
		{"{", "steward.json", ""},
		{"", "steward.json", ""},
		{"[]", "steward.json", ""},
	};
	char *folder = test_folder();

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};

		if (load(folder, rows[i].json, &err))
			fail_msg("%s was taken", rows[i].json);
		assert_contains(err.text, rows[i].path);
		assert_contains(err.text, rows[i].value);
	}
	test_folder_remove(folder);
}

/* The HA peer, then by kind, then as configured; what the access mode leaves out is not there. */
static void test_order_of_sources(void **state)
{
	static const char json[] =
		"{\"steward:router\":{" MINIMAL ",\"high-availability\":{\"peer-node\":\"node1\","
		"\"peer-url\":\"http://"
		"peer:1\"},\"software-update\":{\"access-mode\":\"%s\",\"source\":["
		"{\"name\":\"m\",\"kind\":\"mist-proxy\",\"url\":\"http://m\"},"
		"{\"name\":\"a2\",\"kind\":\"artifactory\",\"url\":\"http://a2/x\"},"
		"{\"name\":\"c\",\"kind\":\"conductor\",\"url\":\"http://c/\"},"
		"{\"name\":\"a1\",\"kind\":\"artifactory\",\"url\":\"http://a1\"}]}}}";
	static const struct {
		const char *mode;
		const char *names;
	} rows[] = {
		{"prefer-conductor", "ha-peer c a2 a1 m"},
		{"internet-only", "ha-peer a2 a1 m"},
		{"conductor-only", "ha-peer c"},
		{"offline-mode", "ha-peer c"},
	};
	char *folder = test_folder();

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char text[sizeof(json) + 32];
		char names[128] = "";
		struct source_list list;
		struct config *c;
		struct err err;
		char *address;

		(void)snprintf(text, sizeof(text), json, rows[i].mode);
		c = load(folder, text, &err);
		if (!c)
			fail_msg("%s", err.text);
		assert_int_equal(source_list_make(&list, c, &err), 0);
		for (unsigned n = 0; n < list.n; n++)
			(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				       n ? " " : "", list.places[n].name);
		assert_string_equal(names, rows[i].names);
		address = source_url(&list.places[list.n - 1], "V1", "f.iso");
		assert_contains(address, "/V1/f.iso");
		free(address);
		config_free(c); /* the list is a copy of its own */
		assert_int_equal(list.places[0].kind, SOURCE_HA_PEER);
		source_list_release(&list);
	}
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_order_of_sources),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
