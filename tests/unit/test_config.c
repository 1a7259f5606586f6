/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration as a struct: what the model fills in, and what is left untouched when it is
 * refused. Each range and default is held against the daemon in the end-to-end tests. */
#include "faults.h"
#include "support.h"

#include "base/macros.h"
#include "config/config.h"
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
	assert_int_equal(c->software_update.schedule.n, 0);
	assert_null(c->software_update.schedule.time_zone);
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

static void test_bandwidth_schedule(void **state)
{
	char *folder = test_folder();
	struct err err;
	struct config *c = load(
		folder,
		"{\"steward:router\":{" MINIMAL
		",\"software-update\":{\"time-zone\":\"Europe/Berlin\","
		"\"bandwidth-schedule\":["
		"{\"days\":\"mon-fri\",\"from\":\"22:00\",\"to\":\"05:00\",\"max-bandwidth\":"
		"\"999999999999\"},"
		"{\"days\":\"sat,sun\",\"from\":\"00:00\",\"to\":\"24:00\",\"max-bandwidth\":"
		"\"unlimited\"},"
		"{\"days\":\"mon\",\"from\":\"00:00\",\"to\":\"24:00\",\"max-bandwidth\":1}]}}}",
		&err);
	const struct config_bandwidth_schedule *s;

	(void)state;
	if (!c)
		fail_msg("%s", err.text);
	s = &c->software_update.schedule;
	assert_string_equal(s->time_zone, "Europe/Berlin");
	assert_int_equal(s->n, 3);
	assert_int_equal(s->hours[0].days, 0x1f);
	assert_int_equal(s->hours[0].from_m, 22 * 60);
	assert_int_equal(s->hours[0].to_m, 5 * 60);
	assert_true(s->max_bandwidth_bps[0] == 999999999999);
	assert_string_equal(s->written[0], "mon-fri 22:00-05:00");
	assert_int_equal(s->hours[1].days, 0x60);
	assert_int_equal(s->hours[1].to_m, 24 * 60);
	assert_int_equal(s->max_bandwidth_bps[1], 0);
	assert_int_equal(s->max_bandwidth_bps[2], 1);
	config_free(c);
	test_folder_remove(folder);
}

static struct config *load_integrity(const char *folder, const char *members, struct err *err)
{
	char json[1024];

	(void)snprintf(json, sizeof(json),
		       "{\"steward:router\":{" MINIMAL ",\"configuration-integrity\":{%s}}}",
		       members);
	return load(folder, json, err);
}

static void test_integrity_defaults(void **state)
{
	char *folder = test_folder();
	struct err err;
	/* The container need not be there. */
	struct config *c = load(folder, "{\"steward:router\":{" MINIMAL "}}", &err);
	const struct config_integrity *i;

	(void)state;
	if (!c)
		fail_msg("%s", err.text);
	i = &c->integrity;
	assert_true(i->enabled);
	assert_false(i->required);
	assert_int_equal(i->n_directories, 0);
	assert_string_equal(i->tcti, "device:/dev/tpmrm0");
	assert_int_equal(i->key_handle, 0x81010128);
	assert_int_equal(i->nv_index, 0x01800128);
	assert_string_equal(i->record_directory, "/etc/steward/integrity");
	assert_int_equal(i->pcrs, 0);
	assert_string_equal(i->pcr_bank, "sha256");
	assert_null(i->policy_key);
	assert_null(i->recovery_key);
	assert_false(i->seal_after_boot);
	assert_int_equal(i->seal_nv_index, 0x0180012a);
	assert_int_equal(i->policy_nv_index, 0x01800129);
	assert_string_equal(i->policy_directory, "/usr/lib/steward/policies");
	config_free(c);
	test_folder_remove(folder);
}

static void test_integrity_read(void **state)
{
	char *folder = test_folder();
	struct err err;
	struct config *c = load_integrity(
		folder,
		"\"enabled\":false,\"required\":true,\"directory\":[\"/z\",\"/a/b\",\"/a/c\"],"
		"\"tcti\":\"swtpm:path=/"
		"x\",\"key-handle\":\"0x8100ABcd\",\"nv-index\":\"0x01bfffff\","
		"\"record-directory\":\"/a/record\",\"pcr\":[23,0,7],\"pcr-bank\":\"sha512\"",
		&err);
	const struct config_integrity *i;

	(void)state;
	if (!c)
		fail_msg("%s", err.text);
	i = &c->integrity;
	assert_false(i->enabled);
	assert_true(i->required);
	assert_int_equal(i->n_directories, 3);
	assert_string_equal(i->directories[0], "/z"); /* in the file's order: so they are pinned */
	assert_string_equal(i->directories[1], "/a/b");
	assert_string_equal(i->directories[2], "/a/c");
	assert_string_equal(i->tcti, "swtpm:path=/x");
	assert_int_equal(i->key_handle, 0x8100abcd);
	assert_int_equal(i->nv_index, 0x01bfffff);
	assert_string_equal(i->record_directory, "/a/record");
	assert_int_equal(i->pcrs, 1u << 23 | 1u << 7 | 1);
	assert_string_equal(i->pcr_bank, "sha512");
	config_free(c);
	test_folder_remove(folder);
}

#define PLAIN  "must be an absolute path without '.', '..', '//' or a '/' at its end"
#define HANDLE "must be a persistent handle of the owner's, 0x81000000..0x8101fffe"
#define INDEX  "must be an NV index of the owner's, 0x01800000..0x01bfffff"
#define KEPT   "is kept for the storage root key and the endorsement key"
#define NESTED "has another encrypted directory in it"
#define STATE  "state-directory must not be in an encrypted directory"
#define RECORD "must not be in an encrypted directory"

static void test_integrity_refused(void **state)
{
	static const struct {
		const char *members;
		const char *constraint;
	} rows[] = {
		{"\"enabled\":1", "must be true or false"},
		{"\"required\":\"yes\"", "must be true or false"},
		{"\"directory\":[\"secrets\"]", PLAIN},
		{"\"directory\":[\"/secrets/\"]", PLAIN},
		{"\"directory\":[\"/\"]", "must be"},
		{"\"directory\":[\"/a//b\"]", PLAIN},
		{"\"directory\":[\"/a/./b\"]", PLAIN},
		{"\"directory\":[\"/a/../b\"]", PLAIN},
		{"\"directory\":[\"/a/..\"]", PLAIN},
		{"\"directory\":[\"\"]", "must be"},
		{"\"directory\":[\"/a\",\"/a\"]", "a"},
		{"\"directory\":[\"/a\",\"/a/b\"]", NESTED},
		{"\"directory\":[\"/a/b/c\",\"/x\",\"/a\"]", NESTED},
		{"\"tcti\":\"\"", "must be text of 1 to 256 characters"},
		{"\"key-handle\":\"0x80ffffff\"", HANDLE},
		{"\"key-handle\":\"0x8101ffff\"", HANDLE}, /* no room for the next */
		{"\"key-handle\":\"0x8101FFfF\"", HANDLE},
		{"\"key-handle\":\"0x81800000\"", HANDLE}, /* the platform's */
		{"\"key-handle\":\"0x810101280\"", HANDLE},
		{"\"key-handle\":\"81010128\"", HANDLE},
		{"\"key-handle\":2164326696", ""},
		{"\"key-handle\":\"0x81000000\"", KEPT}, /* the next is the SRK */
		{"\"key-handle\":\"0x81000001\"", KEPT},
		{"\"key-handle\":\"0x81010000\"", KEPT}, /* the next is the EK */
		{"\"key-handle\":\"0x81010001\"", KEPT},
		{"\"nv-index\":\"0x017fffff\"", INDEX},
		{"\"nv-index\":\"0x01c00000\"", INDEX}, /* of certificates */
		{"\"nv-index\":\"0x1800128\"", INDEX},
		{"\"record-directory\":\"record\"", PLAIN},
		{"\"directory\":[\"/a\"],\"record-directory\":\"/a\"", RECORD},
		{"\"directory\":[\"/a\"],\"record-directory\":\"/a/record\"", RECORD},
		{"\"directory\":[\"/a\"],\"record-directory\":\"/a/\"", PLAIN},
		{"\"directory\":[\"/a/b\"],\"record-directory\":\"/a//b/record\"", PLAIN},
		{"\"directory\":[\"/a/b\"],\"record-directory\":\"/a/./b\"", PLAIN},
		{"\"directory\":[\"/a/b\"],\"record-directory\":\"/x/../a/b\"", PLAIN},
		{"\"directory\":[\"/etc/steward\"]", RECORD}, /* the default one */
		{"\"pcr\":[24]", "must be a PCR, 0..23"},
		{"\"pcr\":[-1]", "must be a PCR, 0..23"},
		{"\"pcr\":[7,7]", "7"},
		{"\"seal-after-boot\":true,\"seal-nv-index\":\"0x01800128\"",
		 "must be neither nv-index nor policy-nv-index"},
		{"\"recovery-key\":\"k.pem\"", "must be an absolute path"},
		{"\"policy-key\":\"/k.pem\"", "asks for pcr"},
		{"\"pcr\":[7],\"policy-key\":\"k.pem\"", "must be an absolute path"},
		{"\"pcr\":[7],\"policy-key\":\"/k\",\"policy-nv-index\":\"0x01800128\"",
		 "must not be nv-index"},
		{"\"pcr-bank\":\"md5\"", "must be one of sha1, sha256, sha384, sha512"},
		{"\"colour\":\"red\"", "colour"},
		{"\"directory\":[\"/var/lib/steward\"]", STATE}, /* where images are */
		{"\"directory\":[\"/var/lib\"]", STATE},
	};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};

		if (load_integrity(folder, rows[i].members, &err))
			fail_msg("%s was taken", rows[i].members);
		assert_int_equal(err.code, -EINVAL);
		assert_contains(err.text, rows[i].constraint);
	}
	test_folder_remove(folder);
}

/* What looks like one of those. */
static void test_integrity_taken(void **state)
{
	static const char *const rows[] = {
		"",
		"\"directory\":[\"/a\",\"/ab\",\"/b/a\"]",
		"\"directory\":[\"/var/lib/steward/secrets\"]",
		"\"directory\":[\"/a\"],\"record-directory\":\"/ab\"",
		"\"directory\":[\"/a/b\"],\"record-directory\":\"/a\"",
		"\"directory\":[\"/...\",\"/.a\",\"/b/.c\",\"/d.\",\"/with space\"]",
		"\"key-handle\":\"0x8101fffe\"",
		"\"key-handle\":\"0x81000002\"",
		"\"nv-index\":\"0x01800000\"",
		"\"pcr\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23]",
	};
	char *folder = test_folder();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err;
		struct config *c = load_integrity(folder, rows[i], &err);

		if (!c)
			fail_msg("%s: %s", rows[i], err.text);
		config_free(c);
	}
	test_folder_remove(folder);
}

static int load_early(const char *folder, const char *json, struct config **ret, struct err *err)
{
	test_write(test_path(folder, "early.json"), span_of_string(json));
	return config_load_early(ret, test_path(folder, "early.json"), CONFIG_ROUTER, err);
}

/* Before anything is unlocked the other half of these is not to be seen: it lies in router.json. */
static void test_early(void **state)
{
	static const char json[] =
		"{\"steward:router\":{" MINIMAL ",\"configuration-integrity\":{\"required\":true},"
		"\"secure-conductor-onboarding\":{\"secrets-directory\":\"%s\"},"
		"\"high-availability\":{\"peer-node\":\"node1\"},"
		"\"software-update\":{\"access-mode\":\"offline-mode\",\"source\":[{\"name\":\"a\"}"
		"]}}}";
	char *folder = test_folder();
	char text[sizeof(json) + 256];
	struct config *c = NULL;
	struct err err;

	(void)state;
	(void)snprintf(text, sizeof(text), json, folder);
	test_write(test_path(folder, "router.json"), span_of_string("not to be read"));
	assert_null(load(folder, text, &err));
	if (load_early(folder, text, &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(c->integrity.required);
	assert_int_equal(c->software_update.access_mode, ACCESS_PREFER_CONDUCTOR);
	assert_int_equal(c->software_update.n_sources, 0);
	assert_null(c->high_availability.peer_node);
	assert_null(strstr(c->text, "offline-mode"));
	config_free(c);
	test_folder_remove(folder);
}

/* What is left is held to the model. */
static void test_early_refused(void **state)
{
	static const struct {
		const char *json;
		int code;
		const char *part;
	} rows[] = {
		{"{\"steward:router\":{" MINIMAL ",\"configuration-integrity\":{\"pcr\":[24]}}}",
		 -EINVAL, "must be a PCR"},
		{"{\"steward:router\":{" MINIMAL ",\"configuration-integrity\":{\"directory\":"
		 "[\"/a\",\"/a/b\"]}}}",
		 -EINVAL, NESTED},
		{"{\"steward:router\":{" MINIMAL ",\"software-update\":{\"nonsense\":1}}}", -EINVAL,
		 "nonsense"},
		{"{", -EINVAL, "early.json"},
	};
	char *folder = test_folder();
	struct config *c = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(load_early(folder, rows[i].json, &c, &err), rows[i].code);
		assert_contains(err.text, rows[i].part);
		assert_null(c);
	}
	assert_int_equal(config_load_early(&c, test_path(folder, "absent"), CONFIG_ROUTER, &err),
			 -ENOENT);
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

/* Strings, lists, lists of lists, a URL that is cut in two. */
static const char everything[] =
	"{\"steward:router\":{" MINIMAL ",\"high-availability\":{\"peer-node\":\"o\","
	"\"peer-url\":\"https://o/\"},\"secure-conductor-onboarding\":{\"reboot-command\":"
	"[\"/bin/true\",\"now\"]},\"software-update\":{\"trusted-key\":[\"/k1\",\"/k2\"],"
	"\"repository\":{\"listen\":[{\"address\":\"127.0.0.1\",\"port\":8931}]},\"source\":["
	"{\"name\":\"a\",\"kind\":\"artifactory\",\"url\":\"https://a/b?key=1\","
	"\"mirror\":[\"https://m1/?key=2\",\"https://m2\"],"
	"\"ca-certificate\":\"/c\",\"proxy\":\"http://p/\"}]}}}";

static void check_everything(const struct config *c)
{
	const struct config_source *a = c->software_update.sources;

	assert_string_equal(c->onboarding.reboot_command[1], "now");
	assert_string_equal(c->software_update.trusted_keys[1], "/k2");
	assert_string_equal(c->software_update.listen[0].address, "127.0.0.1");
	assert_string_equal(c->high_availability.peer_url, "https://o/");
	assert_string_equal(a->url, "https://a/b/");
	assert_string_equal(a->query, "?key=1");
	assert_string_equal(a->mirrors[0].url, "https://m1/");
	assert_string_equal(a->mirrors[0].query, "?key=2");
	assert_string_equal(a->mirrors[1].url, "https://m2/");
	assert_null(a->mirrors[1].query);
}

/* Wherever memory runs out, the configuration is refused as a whole and nothing stays allocated; a
 * source that is added for one command leaves those that were there as they were. */
static void test_memory_runs_out(void **state)
{
	char *folder = test_folder();
	struct config *c = NULL;
	struct err err;
	unsigned n = 0;

	(void)state;
	while (!c) {
		faults_fail_allocation(++n);
		c = load(folder, everything, &err);
		if (faults_had_effect() == !!c)
			fail_msg("allocation %u: %s", n, c ? "not noticed" : err.text);
	}
	assert_true(n > 30);
	check_everything(c);
	for (unsigned failing = 1; failing <= 3; failing++) {
		faults_fail_allocation(failing);
		assert_int_equal(config_add_source(c, "b", SOURCE_CONDUCTOR, "http://b/", &err),
				 -ENOMEM);
		assert_true(faults_had_effect());
		assert_int_equal(c->software_update.n_sources, 1);
	}
	assert_int_equal(config_add_source(c, "b", SOURCE_CONDUCTOR, "http://b/", &err), 0);
	assert_int_equal(c->software_update.n_sources, 2);
	assert_string_equal(c->software_update.sources[1].url, "http://b/");
	check_everything(c);
	config_free(c);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bandwidth_schedule),
		cmocka_unit_test(test_integrity_defaults),
		cmocka_unit_test(test_integrity_read),
		cmocka_unit_test(test_integrity_refused),
		cmocka_unit_test(test_integrity_taken),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_early_refused),
		cmocka_unit_test(test_order_of_sources),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
