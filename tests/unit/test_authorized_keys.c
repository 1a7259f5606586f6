/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The files that sshd and ssh read: from bytes and numbers, never from a stranger's text. */
#include "support.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/macros.h"
#include "conductor/tunnels/authorized_keys.h"
#include "conductor/tunnels/sshd_config.h"
#include "faults.h"
#include "onboarding/router/known_hosts.h"

/* Of ssh-keygen; and what `ssh-keygen -l` says of it. */
#define KEY_TEXT    "AAAAC3NzaC1lZDI1NTE5AAAAIIrWnW9nH+thL4Vm0lhyYP4aeiu85xU4/ueCtwJ/COrO"
#define FINGERPRINT "OijzOkClR1K6qGAxrZ4APyrjLcOpjiDGIJth2GOlEoo"

static struct authorized_key make_key(uint16_t port)
{
	struct authorized_key key = {.listen_port = port};
	uint8_t *blob;
	size_t size;

	assert_int_equal(base64_decode(span_of_string(KEY_TEXT), &blob, &size), 0);
	assert_int_equal(size, sizeof(key.blob));
	memcpy(key.blob, blob, size);
	free(blob);
	return key;
}

/* Begins with that, then has blanks, and ends where each line ends. */
static void check_line(const char *line, const char *expected)
{
	size_t size = strlen(expected);

	assert_memory_equal(line, expected, size);
	for (; size < AUTHORIZED_KEYS_LINE - 1; size++)
		assert_int_equal(line[size], ' ');
	assert_int_equal(line[size], '\n');
}

static void test_lines(void **state)
{
	const struct authorized_key keys[] = {make_key(20001), make_key(65535)};
	struct err err;
	char *text;

	(void)state;
	assert_int_equal(authorized_keys_format(keys, 2, 8930, &text, &err), 0);
	assert_int_equal(strlen(text), 2 * AUTHORIZED_KEYS_LINE);
	check_line(text, "restrict,port-forwarding,permitlisten=\"localhost:20001\","
			 "permitopen=\"localhost:8930\",command=\"/bin/false\" "
			 "ssh-ed25519 " KEY_TEXT);
	check_line(text + AUTHORIZED_KEYS_LINE,
		   "restrict,port-forwarding,permitlisten=\"localhost:65535\","
		   "permitopen=\"localhost:8930\",command=\"/bin/false\" "
		   "ssh-ed25519 " KEY_TEXT);
	free(text);
	assert_int_equal(authorized_keys_format(NULL, 0, 8930, &text, &err), 0);
	assert_string_equal(text, "");
	free(text);
}

static void test_fingerprint(void **state)
{
	const struct authorized_key key = make_key(1);
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];

	(void)state;
	authorized_key_fingerprint(key.blob, fingerprint);
	assert_string_equal(fingerprint, FINGERPRINT);
}

static void test_refused(void **state)
{
	struct authorized_key keys[] = {make_key(20001), make_key(20002)};
	char *text = NULL;
	struct err err;

	(void)state;
	keys[1].blob[4] = 'S'; /* of "ssh-ed25519" */
	assert_int_equal(authorized_keys_format(keys, 2, 8930, &text, &err), -EINVAL);
	assert_string_equal(err.text, "the key for port 20002 is no ssh-ed25519 key");
	keys[1] = make_key(0);
	assert_int_equal(authorized_keys_format(keys, 2, 8930, &text, &err), -EINVAL);
	assert_string_equal(err.text, "a key for port 0");
	assert_null(text);
}

static void test_file(void **state)
{
	const struct authorized_key keys[] = {make_key(20001)};
	char *folder = test_folder();
	const char *path = test_path(folder, "authorized_keys");
	struct stat st;
	char *text;

	(void)state;
	assert_int_equal(authorized_keys_write(path, keys, 1, 8930, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	text = test_read(path, NULL);
	assert_contains(text, KEY_TEXT " ");
	free(text);
	assert_int_equal(authorized_keys_write(path, NULL, 0, 8930, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	test_folder_remove(folder);
}

/* One line is written over, one emptied, one added; the others stay. */
static void test_lines_are_written_over(void **state)
{
	const struct authorized_key keys[] = {make_key(1), make_key(2), make_key(3)};
	const struct authorized_key other = make_key(20004);
	char *folder = test_folder();
	const char *path = test_path(folder, "authorized_keys");
	struct err err;
	char *text;
	int fd;

	(void)state;
	assert_int_equal(authorized_keys_write(path, keys, 3, 8930, NULL), 0);
	assert_int_equal(authorized_keys_open(path, 3, &fd, NULL), 0);
	assert_int_equal(authorized_keys_put(fd, 1, NULL, 8930, NULL), 0);
	assert_int_equal(authorized_keys_put(fd, 2, &other, 8930, NULL), 0);
	assert_int_equal(authorized_keys_put(fd, 3, &keys[1], 8930, NULL), 0);
	assert_int_equal(authorized_keys_finish(fd, true, NULL), 0);
	text = test_read(path, NULL);
	assert_int_equal(strlen(text), 4 * AUTHORIZED_KEYS_LINE);
	assert_contains(text, "localhost:1\"");
	check_line(text + AUTHORIZED_KEYS_LINE, "");
	assert_non_null(strstr(text + 2 * AUTHORIZED_KEYS_LINE, "localhost:20004\""));
	assert_non_null(strstr(text + 3 * AUTHORIZED_KEYS_LINE, "localhost:2\""));
	free(text);
	/* Another program's file, or what a version before wrote, is not written into. */
	assert_int_equal(authorized_keys_open(path, 3, &fd, &err), -ESTALE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(authorized_keys_open(path, 3, &fd, &err), -ENOENT);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(authorized_keys_open(path, 0, &fd, &err), -ELOOP);
	test_folder_remove(folder);
}

static void test_no_memory(void **state)
{
	const struct authorized_key keys[] = {make_key(20001)};
	struct err err;
	char *text;

	(void)state;
	faults_fail_allocation(1);
	assert_int_equal(authorized_keys_format(keys, 1, 8930, &text, &err), -ENOMEM);
	assert_true(faults_had_effect());
}

static void test_known_hosts(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *line; /* NULL = refused */
	} rows[] = {
		{"192.0.2.1", 930, "[192.0.2.1]:930 ssh-ed25519 " KEY_TEXT "\n"},
		{"2001:db8::1", 930, "[2001:db8::1]:930 ssh-ed25519 " KEY_TEXT "\n"},
		{"fe80::1%eth0", 930, "[fe80::1%eth0]:930 ssh-ed25519 " KEY_TEXT "\n"},
		{"conductor.example", 22, "conductor.example ssh-ed25519 " KEY_TEXT "\n"},
		{"", 930, NULL},
		{"*", 930, NULL},                /* any host */
		{"a,b", 930, NULL},              /* two */
		{"!a", 930, NULL},               /* all but one */
		{"-oProxyCommand=x", 930, NULL}, /* an option */
		{"a b", 930, NULL},
		{"a\nb", 930, NULL},
		{"@cert-authority", 930, NULL},
	};
	const struct authorized_key key = make_key(1);
	const struct span blob = span_of(key.blob, sizeof(key.blob));
	const struct span cut = span_of(key.blob, sizeof(key.blob) - 1);
	char *folder = test_folder();
	const char *path = test_path(folder, "known_hosts");
	struct err err;

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		int rc = known_hosts_write(path, rows[i].host, rows[i].port, &blob, 1, &err);
		char *text;

		assert_int_equal(rc, rows[i].line ? 0 : -EINVAL);
		if (rc < 0)
			continue;
		text = test_read(path, NULL);
		assert_string_equal(text, rows[i].line);
		free(text);
	}
	assert_int_equal(known_hosts_write(path, "a", 930, &cut, 1, &err), -EINVAL);
	assert_string_equal(err.text, "host key 1 of a is no SSH key");
	assert_int_equal(known_hosts_write(path, "a", 930, NULL, 0, &err), -EINVAL);
	assert_string_equal(err.text, "no host key of a is known");
	test_folder_remove(folder);
}

static void test_sshd_config_takes_plain_words_alone(void **state)
{
	static const char *const bad[] = {"",    "a b", "a\nb", "a\tb", "\"a\"", "a#b",
					  "a*b", "a?b", "!a",   "a,b",  "%u",    "a@b"};
	char *folder = test_folder();
	const char *path = test_path(folder, "sshd_config");
	struct sshd_config config = {
		.user = "steward-tunnel",
		.host_key = "/a/key",
		.authorized_keys = "/a/keys",
		.login_grace_s = 10,
		.kex = "a-kex,another@b",
	};
	char *text;

	(void)state;
	assert_int_equal(sshd_config_write(path, &config, NULL), 0);
	text = test_read(path, NULL);
	assert_contains(text, "\nAllowUsers steward-tunnel\nLoginGraceTime 10\n");
	assert_contains(text, "\nKexAlgorithms a-kex,another@b\n");
	assert_contains(text, "\nAuthorizedKeysFile none\n"
			      "AuthorizedKeysCommand /usr/bin/grep -a -F -m 1 -e %k /a/keys\n"
			      "AuthorizedKeysCommandUser steward-tunnel\n");
	free(text);
	config.reads_keys_itself = true;
	assert_int_equal(sshd_config_write(path, &config, NULL), 0);
	text = test_read(path, NULL);
	assert_contains(text, "\nAuthorizedKeysFile /a/keys\n");
	assert_null(strstr(text, "AuthorizedKeysCommand"));
	free(text);
	for (unsigned i = 0; i < N_ELEMENTS(bad); i++) {
		struct sshd_config other = config;

		other.user = bad[i];
		assert_int_equal(sshd_config_write(path, &other, NULL), -EINVAL);
		other = config;
		other.authorized_keys = bad[i];
		assert_int_equal(sshd_config_write(path, &other, NULL), -EINVAL);
	}
	test_folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_lines_are_written_over),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_known_hosts),
		cmocka_unit_test(test_sshd_config_takes_plain_words_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
