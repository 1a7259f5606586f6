/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opening what is no TPM, or not yet there. */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "base/macros.h"
#include "tpm/tpm.h"

static void test_open_what_is_not_there(void **state)
{
	static const char *const rows[] = {
		"swtpm:path=/nonexistent/socket",
		"device:/nonexistent",
		"device:/dev/null",
		"device:/tmp",
		"device:",
		"nonsense:path=/tmp",
		"nonsense",
		"swtpm:host=127.0.0.1,port=notanumber",
		"/nonexistent/library.so:x",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct err err = {0};
		struct tpm t;
		int rc = tpm_open(&t, rows[i], 0, &err);

		if (rc != -ENODEV || err.code != -ENODEV)
			fail_msg("%s: %d, %s", rows[i], rc, err.text);
		assert_contains(err.text, "open the TPM at ");
		assert_contains(err.text, rows[i]);
		assert_int_not_equal(t.last_rc, 0);
		assert_null(t.tcti); /* nothing that would stay behind at each try */
		tpm_close(&t);
		assert_int_equal(tpm_open(&t, rows[i], 0, NULL), -ENODEV);
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Runs in a child: each thing that is said on a connection has the same answer, and the end. */
static void answer(int listener, struct span words)
{
	char question[4096];

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			_exit(1);
		if (read(fd, question, sizeof(question)) > 0)
			(void)!write(fd, words.bytes, words.size);
		(void)close(fd);
	}
}

static pid_t start_liar(const char *path, struct span words)
{
	int fd = listen_at(path);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		answer(fd, words);
	}
	(void)close(fd);
	return pid;
}

static void end_liar(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Runs in a child, with which goes what tss2 does not free then. */
static int refuses(const char *folder)
{
	TPM2B_NAME name = {0};
	struct err err = {0};
	char tcti[300];
	struct tpm t;
	int rc;

	(void)snprintf(tcti, sizeof(tcti), "swtpm:path=%s/tpm", folder);
	rc = tpm_open(&t, tcti, 0, &err);
	if (rc == 0)
		rc = tpm_find(&t, 0x81010128, NULL, NULL, &name, &err);
	tpm_close(&t);
	if (err.code != rc || name.size != 0)
		return 1;
	return rc == -ENODEV || rc == -EBADMSG || rc == -EPROTO ? 0 : 2;
}

static void ask(const char *folder, struct span on_control, struct span on_commands)
{
	pid_t commands = start_liar(test_path(folder, "tpm"), on_commands);
	pid_t control = start_liar(test_path(folder, "tpm.ctrl"), on_control);
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(refuses(folder));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	end_liar(commands);
	end_liar(control);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_who_speaks_rubbish(void **state)
{
	/* As control channel of swtpm: all went well. */
	static const uint8_t fine[4] = {0};
	static const uint8_t zeros[64] = {0};
	/* tag, size, response code */
	static const uint8_t huge[] = {0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3};
	static const uint8_t tiny[] = {0x80, 0x01, 0, 0, 0, 2, 0, 0, 0, 0};
	static const uint8_t hollow[] = {0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0};
	static const uint8_t cut[] = {0x80, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3};
	/* A public area that says it has 65,535 bytes, and brings ten. */
	static const uint8_t liar[] = {0x80, 0x01, 0, 0, 0, 22, 0, 0, 0,    0,    0xff,
				       0xff, 0,    1, 0, 1, 1,  2, 3, 0xff, 0xff, 0xff};
	const struct {
		struct span control, commands;
	} rows[] = {
		{span_of("rubbish\n", 8), span_of("rubbish\n", 8)},
		{span_of(NULL, 0), span_of(NULL, 0)},
		{span_of(fine, sizeof(fine)), span_of(NULL, 0)},
		{span_of(fine, sizeof(fine)), span_of("rubbish\n", 8)},
		{span_of(fine, sizeof(fine)), span_of(zeros, sizeof(zeros))},
		{span_of(fine, sizeof(fine)), span_of(huge, sizeof(huge))},
		{span_of(fine, sizeof(fine)), span_of(tiny, sizeof(tiny))},
		{span_of(fine, sizeof(fine)), span_of(hollow, sizeof(hollow))},
		{span_of(fine, sizeof(fine)), span_of(cut, sizeof(cut))},
		{span_of(fine, sizeof(fine)), span_of(liar, sizeof(liar))},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *folder = test_folder();

		ask(folder, rows[i].control, rows[i].commands);
		test_folder_remove(folder);
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What appears is no TPM, but it is seen. */
static void test_wait_for_device(void **state)
{
	char *folder = test_folder();
	const char *path = test_path(folder, "tpmrm0");
	const uint64_t began = now_ms();
	struct err err = {0};
	char tcti[300];
	struct tpm t;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)usleep(300000);
		_exit(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0);
	}
	(void)snprintf(tcti, sizeof(tcti), "device:%s", path);
	assert_int_equal(tpm_open(&t, tcti, 120000, &err), -ENODEV);
	assert_int_equal(access(path, F_OK), 0);
	assert_true(now_ms() - began < 100000);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	test_folder_remove(folder);
}

static void test_wait_in_vain(void **state)
{
	const uint64_t began = now_ms();
	struct tpm t;

	(void)state;
	assert_int_equal(tpm_open(&t, "device:/nonexistent", 200, NULL), -ENODEV);
	assert_true(now_ms() - began >= 200);
	/* Only a device is made by the kernel. */
	assert_int_equal(tpm_open(&t, "swtpm:path=/nonexistent", 600000, NULL), -ENODEV);
	assert_true(now_ms() - began < 300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_what_is_not_there),
		cmocka_unit_test(test_who_speaks_rubbish),
		cmocka_unit_test(test_wait_for_device),
		cmocka_unit_test(test_wait_in_vain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
