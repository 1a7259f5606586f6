/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A conductor's configuration: what the model fills in and refuses, in the words of a refusal. */
#include "support.h"

#include "base/macros.h"
#include "config/config.h"

#define MINIMAL                                                                                    \
	"\"name\":\"c0\",\"address\":\"192.0.2.1\",\"certificate\":\"/c.pem\","                    \
	"\"private-key\":\"/k.pem\",\"ca-certificate\":\"/ca.pem\""

static int load(const char *folder, const char *members, struct config **ret, struct err *err)
{
	char json[2048];

	(void)snprintf(json, sizeof(json), "{\"steward:conductor\":{%s}}", members);
	test_write(test_path(folder, "conductor.json"), span_of_string(json));
	return config_load(ret, test_path(folder, "conductor.json"), CONFIG_CONDUCTOR, err);
}

static void test_defaults(void **state)
{
	const struct config_limits *limits;
	char *folder = test_folder();
	struct config *config;
	struct err err;

	(void)state;
	if (load(folder, MINIMAL, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(config->name, "c0");
	assert_string_equal(config->state_directory, "/var/lib/steward-conductor");
	assert_string_equal(config->control.socket, "/run/steward/conductor.sock");
	assert_string_equal(config->control.group, "steward-admin");
	assert_string_equal(config->conductor.address, "192.0.2.1");
	assert_int_equal(config->conductor.port, 930);
	assert_string_equal(config->conductor.certificate, "/c.pem");
	assert_string_equal(config->conductor.private_key, "/k.pem");
	assert_string_equal(config->conductor.ca_certificate, "/ca.pem");
	assert_null(config->conductor.private_key_passphrase_file);
	assert_null(config->conductor.device_id_ca);
	assert_null(config->conductor.endorsement_ca);
	assert_null(config->conductor.device_id_crl);
	assert_string_equal(config->conductor.registry,
			    "sqlite:/var/lib/steward-conductor/registry");
	limits = &config->conductor.limits;
	assert_int_equal(limits->handshakes, 512);
	assert_int_equal(limits->handshake_timeout_s, 10);
	assert_int_equal(limits->connection_rate, 1);
	assert_int_equal(limits->connection_burst, 5);
	assert_int_equal(limits->message_size_bytes, 16384);
	assert_int_equal(limits->first_byte_timeout_s, 5);
	assert_int_equal(limits->ssh_sessions, 64);
	assert_int_equal(limits->ssh_timeout_s, 10);
	assert_null(config->onboarding.tcti);
	assert_int_equal(config->software_update.n_listen, 1);
	assert_string_equal(config->software_update.listen[0].address, "127.0.0.1");
	assert_int_equal(config->software_update.listen[0].port, 8930);
	assert_null(config->high_availability.peer_url);
	config_free(config);
	test_folder_remove(folder);
}

static void test_all_that_can_be_said(void **state)
{
	char *folder = test_folder();
	struct config *config;
	struct err err;

	(void)state;
	if (load(folder,
		 MINIMAL
		 ",\"port\":9300,\"device-id-ca\":\"/d.pem\",\"device-id-crl\":\"/r.pem\","
		 "\"endorsement-ca\":\"/e.pem\","
		 "\"private-key-passphrase-file\":\"/p\","
		 "\"registry\":\"postgresql://steward@db.example/steward?sslrootcert=/x\","
		 "\"limits\":{\"handshakes\":7,\"ssh-timeout\":600},"
		 "\"high-availability\":{\"peer-node\":\"c1\","
		 "\"peer-url\":\"http://192.0.2.2:8930\",\"peer-patience\":5},"
		 "\"software-update\":{\"source\":[{\"name\":\"a\",\"kind\":\"artifactory\","
		 "\"url\":\"https://a.example/\"}],\"repository\":{\"listen\":"
		 "[{\"address\":\"::1\",\"port\":8930}]}}",
		 &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(config->conductor.port, 9300);
	assert_string_equal(config->conductor.device_id_ca, "/d.pem");
	assert_string_equal(config->conductor.device_id_crl, "/r.pem");
	assert_string_equal(config->conductor.endorsement_ca, "/e.pem");
	assert_string_equal(config->conductor.private_key_passphrase_file, "/p");
	assert_string_equal(config->conductor.registry,
			    "postgresql://steward@db.example/steward?sslrootcert=/x");
	assert_int_equal(config->conductor.limits.handshakes, 7);
	assert_int_equal(config->conductor.limits.ssh_timeout_s, 600);
	assert_int_equal(config->software_update.n_sources, 1);
	assert_int_equal(config->software_update.n_listen, 1);
	assert_string_equal(config->software_update.listen[0].address, "::1");
	assert_string_equal(config->high_availability.own_node, "c0");
	assert_string_equal(config->high_availability.peer_node, "c1");
	assert_string_equal(config->high_availability.peer_url, "http://192.0.2.2:8930/");
	assert_int_equal(config->high_availability.peer_patience_s, 5);
	config_free(config);
	test_folder_remove(folder);
}

/* What no router takes from accept (message_host_is_valid) is no address here either. */
static void test_address_that_no_router_takes(void **state)
{
	static const char *const addresses[] = {"a_b.example", "-a", "a b", "a,b"};
	char *folder = test_folder();
	struct config *config;
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(addresses); i++) {
		char *text = NULL;

		assert_true(
			asprintf(&text,
				 "\"name\":\"c0\",\"address\":\"%s\",\"certificate\":\"/c.pem\","
				 "\"private-key\":\"/k.pem\",\"ca-certificate\":\"/ca.pem\"",
				 addresses[i]) > 0);
		err.text[0] = '\0';
		assert_int_equal(load(folder, text, &config, &err), -EINVAL);
		assert_non_null(strstr(err.text, "must be an address or a host name"));
		free(text);
	}
	test_folder_remove(folder);
}

static void test_missing(void **state)
{
	static const char *const members[] = {
		"\"name\":\"c0\"", "\"address\":\"192.0.2.1\"", "\"certificate\":\"/c.pem\"",
		"\"private-key\":\"/k.pem\"", "\"ca-certificate\":\"/ca.pem\""};
	static const char *const names[] = {"name", "address", "certificate", "private-key",
					    "ca-certificate"};
	char *folder = test_folder();
	struct config *config;
	char json[512];
	struct err err;

	(void)state;
	for (unsigned left_out = 0; left_out < N_ELEMENTS(members); left_out++) {
		size_t size = 0;

		for (unsigned i = 0; i < N_ELEMENTS(members); i++)
			if (i != left_out)
				size += (size_t)snprintf(json + size, sizeof(json) - size, "%s%s",
							 size ? "," : "", members[i]);
		assert_int_equal(load(folder, json, &config, &err), -EINVAL);
		assert_contains(err.text, names[left_out]);
		assert_contains(err.text, "conductor.json");
	}
	test_folder_remove(folder);
}

/* It is refused for its password, which is not to be in the journal because of that. */
static void test_password_is_not_shown(void **state)
{
	static const char *const uris[] = {
		"postgresql://u:S3cret@db/x",
		"postgresql://u:S3c/r?et:S3cret@db/x",
		"postgresql://db/x?password=S3cret",
		"postgresql://u@db/x?user=u&sslpassword=S3cret",
		"postgres://u:S3cret@db/x",
		"u:S3cret@db",
		"host=db user=u password=S3cret",
	};
	char *folder = test_folder();
	struct config *config;
	char json[1024];
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(uris); i++) {
		(void)snprintf(json, sizeof(json), MINIMAL ",\"registry\":\"%s\"", uris[i]);
		assert_int_equal(load(folder, json, &config, &err), -EINVAL);
		assert_contains(err.text, "/steward:conductor/registry is \"");
		assert_contains(err.text, "without a password");
		assert_null(strstr(err.text, "S3c"));
	}
	test_folder_remove(folder);
}

static void test_refused(void **state)
{
	static const struct {
		const char *members;
		const char *path;
		const char *constraint;
	} rows[] = {
		{"\"port\":0", "/steward:conductor/port", "must be 1..65535"},
		{"\"address\":\"a b\"", "/steward:conductor/address", "a host name"},
		{"\"certificate\":\"c.pem\"", "/steward:conductor/certificate", "absolute path"},
		{"\"registry\":\"sqlite:registry\"", "registry", "must be sqlite:/path"},
		{"\"registry\":\"mysql://db/x\"", "registry", "must be sqlite:/path"},
		{"\"registry\":\"postgresql://u:p@db/x\"", "registry", "must be sqlite:/path"},
		{"\"registry\":\"postgresql://db/x?password=p\"", "registry", "without a password"},
		{"\"device-id-crl\":\"/r.pem\"", "device-id-crl", "needs a device-id-ca"},
		{"\"limits\":{\"handshakes\":0}", "limits/handshakes", "must be 1..65535"},
		{"\"limits\":{\"handshake-timeout\":601}", "handshake-timeout", "1..600 seconds"},
		{"\"limits\":{\"connection-rate\":1001}", "connection-rate", "1..1000 a second"},
		{"\"limits\":{\"connection-burst\":0}", "connection-burst", "1..1000"},
		{"\"limits\":{\"message-size\":16385}", "message-size", "4096..16384 bytes"},
		{"\"limits\":{\"first-byte-timeout\":0}", "first-byte-timeout", "1..600 seconds"},
		{"\"limits\":{\"ssh-sessions\":4097}", "ssh-sessions", "1..4096"},
		{"\"limits\":{\"ssh-timeout\":0}", "ssh-timeout", "1..600 seconds"},
		{"\"high-availability\":{\"peer-node\":\"c0\",\"peer-url\":\"http://h/\"}",
		 "high-availability/peer-node", "another node than this one"},
		{"\"high-availability\":{\"peer-node\":\"c1\"}", "high-availability",
		 "come together"},
		{"\"secure-conductor-onboarding\":{}", "secure-conductor-onboarding", "not found"},
	};
	char *folder = test_folder();
	struct config *config;
	char json[1024];
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		/* A member twice would be refused for that. */
		const char *minimal = strstr(rows[i].members, "\"address\"") ||
						      strstr(rows[i].members, "\"certificate\"")
					      ? ""
					      : MINIMAL ",";

		(void)snprintf(json, sizeof(json), "%s%s", minimal, rows[i].members);
		if (load(folder, json, &config, &err) != -EINVAL)
			fail_msg("row %u", i);
		assert_contains(err.text, rows[i].path);
		assert_contains(err.text, rows[i].constraint);
	}
	test_folder_remove(folder);
}

/* Neither is taken for the other. */
static void test_router_is_no_conductor(void **state)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "x.json");
	struct config *config;
	struct err err;

	(void)state;
	test_write(path, span_of_string("{\"steward:router\":{\"name\":\"r0\"}}"));
	assert_int_equal(config_load(&config, path, CONFIG_CONDUCTOR, &err), -EINVAL);
	assert_contains(err.text, "expected \"steward:conductor\" at the top");
	test_write(path, span_of_string("{\"steward:conductor\":{" MINIMAL "}}"));
	assert_int_equal(config_load(&config, path, CONFIG_ROUTER, &err), -EINVAL);
	assert_contains(err.text, "expected \"steward:router\" at the top");
	test_folder_remove(folder);
}

static void test_onboarding_of_a_router(void **state)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "steward.json");
	const struct config_onboarding *onboarding;
	struct config *config;
	struct err err;

	(void)state;
	test_write(path, span_of_string("{\"steward:router\":{}}"));
	assert_int_equal(config_load(&config, path, CONFIG_ROUTER, &err), 0);
	onboarding = &config->onboarding;
	assert_int_equal(onboarding->port, 930);
	assert_string_equal(onboarding->tcti, "device:/dev/tpmrm0");
	assert_int_equal(onboarding->ek_handle, 0x81010001);
	assert_null(onboarding->device_id_certificate);
	assert_string_equal(onboarding->minimum_mode, "psk-only");
	assert_string_equal(onboarding->secrets_directory, "/etc/steward/secrets");
	assert_int_equal(onboarding->n_reboot_command, 2);
	assert_string_equal(onboarding->reboot_command[0], "systemctl");
	assert_string_equal(onboarding->reboot_command[1], "reboot");
	config_free(config);
	test_write(path, span_of_string("{\"steward:router\":{\"secure-conductor-onboarding\":{"
					"\"device-id\":{\"certificate\":\"/d.pem\","
					"\"key-handle\":\"0x81000002\"},"
					"\"reboot-command\":[\"/bin/true\"]}}}"));
	assert_int_equal(config_load(&config, path, CONFIG_ROUTER, &err), 0);
	onboarding = &config->onboarding;
	assert_string_equal(onboarding->device_id_certificate, "/d.pem");
	assert_int_equal(onboarding->device_id_key_handle, 0x81000002);
	assert_int_equal(onboarding->n_reboot_command, 1);
	assert_string_equal(onboarding->reboot_command[0], "/bin/true");
	config_free(config);
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_that_can_be_said),
		cmocka_unit_test(test_address_that_no_router_takes),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_password_is_not_shown),
		cmocka_unit_test(test_router_is_no_conductor),
		cmocka_unit_test(test_onboarding_of_a_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
