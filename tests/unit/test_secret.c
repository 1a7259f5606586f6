/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets: where they lie, who gets to see them, and what is left of them. */
#include "support.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/atomic_file.h"
#include "base/macros.h"
#include "base/secret.h"

/* The VmFlags line of the mapping that begins at address, as smaps(5) has it. */
static void read_flags(const void *address, char *ret, size_t size)
{
	char *text = NULL;
	char start[32];
	const char *at;
	struct err err;
	size_t length;

	assert_int_equal(file_read("/proc/self/smaps", 16 << 20, &text, &length, &err), 0);
	(void)snprintf(start, sizeof(start), "%lx-", (unsigned long)(uintptr_t)address);
	at = strstr(text, start);
	assert_non_null(at);
	at = strstr(at, "VmFlags:");
	assert_non_null(at);
	(void)snprintf(ret, size, "%.*s", (int)strcspn(at, "\n"), at);
	free(text);
}

static void test_pages(void **state)
{
	struct secret s;
	struct err err;
	char flags[256];

	(void)state;
	assert_int_equal(secret_init(&s, 32, &err), 0);
	assert_int_equal(s.size, 32);
	for (size_t i = 0; i < s.size; i++)
		assert_int_equal(s.bytes[i], 0);
	assert_int_equal((uintptr_t)s.bytes % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	read_flags(s.bytes, flags, sizeof(flags));
	assert_contains(flags, " lo"); /* locked */
	assert_contains(flags, " dd"); /* not in a core */
	assert_contains(flags, " wf"); /* wiped in a child */
	secret_release(&s);
}

static void test_release(void **state)
{
	struct secret s = {0};
	unsigned char resident;
	void *was;

	(void)state;
	secret_release(&s);
	assert_int_equal(secret_init(&s, 5000, NULL), 0);
	memset(s.bytes, 0xaa, s.size);
	was = s.bytes;
	secret_release(&s);
	assert_null(s.bytes);
	assert_int_equal(s.size, 0);
	assert_int_equal(mincore(was, 1, &resident), -1);
	assert_int_equal(errno, ENOMEM);
	secret_release(&s);
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{"0123456789", "0123456789", true},
		{"0123456789", "x123456789", false}, /* the first byte */
		{"0123456789", "012345678x", false}, /* the last byte */
		{"0123456789", "012345678", false},  /* a part of it */
		{NULL, "0123456789", false},         /* none */
		{NULL, NULL, false},                 /* none equals nothing */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct secret a = {0};
		struct secret b = {0};

		if (rows[i].a) {
			assert_int_equal(secret_init(&a, strlen(rows[i].a), NULL), 0);
			memcpy(a.bytes, rows[i].a, a.size);
		}
		if (rows[i].b) {
			assert_int_equal(secret_init(&b, strlen(rows[i].b), NULL), 0);
			memcpy(b.bytes, rows[i].b, b.size);
		}
		assert_int_equal(secret_equal(&a, &b), rows[i].equal);
		assert_int_equal(secret_equal(&b, &a), rows[i].equal);
		secret_release(&a);
		secret_release(&b);
	}
}

/* Run in a child: what it does to itself ends with it. */
static int in_child(int (*run)(const struct secret *s), const struct secret *s)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(s));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int is_wiped(const struct secret *s)
{
	for (size_t i = 0; i < s->size; i++)
		if (s->bytes[i] != 0)
			return 1;
	return 0;
}

static void test_fork(void **state)
{
	struct secret s;

	(void)state;
	assert_int_equal(secret_init(&s, 32, NULL), 0);
	memset(s.bytes, 0xaa, s.size);
	assert_int_equal(in_child(is_wiped, &s), 0);
	assert_int_equal(is_wiped(&s), 1);
	secret_release(&s);
}

static int is_refused(const struct secret *unused)
{
	struct secret s = {0};
	struct err err;

	(void)unused;
	if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0}) < 0 || setuid(65534) < 0)
		return 1;
	if (secret_init(&s, 32, &err) != -ENOMEM || s.bytes)
		return 2;
	return strstr(err.text, "lock a secret of 32 bytes in memory") ? 0 : 3;
}

static void test_lock_limit(void **state)
{
	(void)state;
	assert_int_equal(in_child(is_refused, NULL), 0);
}

static int is_protected(const struct secret *unused)
{
	struct rlimit core;
	char filter[16] = "";
	int fd;

	(void)unused;
	secret_protect_process();
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return 2;
	fd = open("/proc/self/coredump_filter", O_RDONLY | O_CLOEXEC);
	if (read(fd, filter, sizeof(filter) - 1) <= 0)
		return 3;
	return strcmp(filter, "00000000\n") == 0 ? 0 : 4;
}

static void test_protect_process(void **state)
{
	(void)state;
	assert_int_equal(in_child(is_protected, NULL), 0);
}

#ifdef __x86_64__
/* x87, SSE, AVX and AVX-512, as XCR0 numbers them. */
#define VECTOR_STATE 0xe7

static _Alignas(64) uint8_t registers[4096];

static bool in_registers(const uint8_t *bytes)
{
	__asm__ volatile("xsave64 %0" : "=m"(registers) : "a"(VECTOR_STATE), "d"(0));
	return memmem(registers, sizeof(registers), bytes, 8) != NULL;
}

/* What memcpy() does, and proof that in_registers() sees it. */
static bool in_registers_once_loaded(const uint8_t *bytes)
{
	__asm__ volatile("movdqu (%1), %%xmm5\n\txsave64 %0"
			 : "=m"(registers)
			 : "r"(bytes), "a"(VECTOR_STATE), "d"(0)
			 : "xmm5", "memory");
	return memmem(registers, sizeof(registers), bytes, 8) != NULL;
}
#else
static bool in_registers(const uint8_t *bytes)
{
	(void)bytes;
	return false;
}
static bool in_registers_once_loaded(const uint8_t *bytes)
{
	(void)bytes;
	return true;
}
#endif

static void test_copy(void **state)
{
	uint8_t from[32], to[33] = {0};

	(void)state;
	/* The kernel itself, not the vDSO: no register of ours has seen them yet. */
	assert_int_equal(syscall(SYS_getrandom, from, sizeof(from), 0), sizeof(from));
	secret_copy(to, from, sizeof(from));
	assert_false(in_registers(from));
	assert_memory_equal(to, from, sizeof(from));
	assert_int_equal(to[32], 0);
	assert_true(in_registers_once_loaded(from));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),      cmocka_unit_test(test_release),
		cmocka_unit_test(test_equal),      cmocka_unit_test(test_fork),
		cmocka_unit_test(test_lock_limit), cmocka_unit_test(test_protect_process),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
