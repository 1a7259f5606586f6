/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which key exchanges ssh and sshd are told, and which they say they have agreed on. */
#include "support.h"

#include "base/macros.h"
#include "onboarding/ssh_kex.h"

#define MLKEM  "mlkem768x25519-sha256"
#define SNTRUP "sntrup761x25519-sha512"

/* As OpenSSH 8.5, 9.2 and 10.0 list them, and one before all of them. */
static const char before[] = "curve25519-sha256\nsntrup4591761x25519-sha512@tinyssh.org\n";
static const char first[] = "curve25519-sha256\n" SNTRUP "@openssh.com\n";
static const char bookworm[] = "curve25519-sha256 " SNTRUP " " SNTRUP "@openssh.com";
static const char trixie[] = "curve25519-sha256\n" MLKEM "\n" SNTRUP "\n" SNTRUP "@openssh.com\n";

static void test_algorithms(void **state)
{
	static char mlkem[] = MLKEM;
	static char sntrup[] = SNTRUP;
	static const struct {
		char *wanted[3];
		const char *installed;
		const char *algorithms; /* NULL = refused */
		const char *reason;
	} rows[] = {
		{{NULL}, trixie, MLKEM "," SNTRUP "," SNTRUP "@openssh.com", NULL},
		{{NULL}, bookworm, SNTRUP "," SNTRUP "@openssh.com", NULL},
		{{NULL}, first, SNTRUP "@openssh.com", NULL},
		{{NULL}, before, NULL, "no " MLKEM " or " SNTRUP},
		{{mlkem}, trixie, MLKEM, NULL},
		{{mlkem}, bookworm, NULL, "no " MLKEM " (`ssh -Q kex`"},
		{{sntrup, mlkem}, trixie, SNTRUP "," SNTRUP "@openssh.com," MLKEM, NULL},
		{{mlkem, sntrup}, bookworm, SNTRUP "," SNTRUP "@openssh.com", NULL},
		{{sntrup}, trixie, SNTRUP "," SNTRUP "@openssh.com", NULL},
		{{NULL}, "", NULL, "upgrade it"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		size_t n = 0;
		struct ssh_kex_order order;
		char found[SSH_KEX_ALGORITHMS_SIZE] = "untouched";
		struct err err = {0};
		int rc;

		while (n < 2 && rows[i].wanted[n])
			n++;
		order = ssh_kex_order_of(rows[i].wanted, n);
		rc = ssh_kex_algorithms(&order, ssh_kex_read(rows[i].installed), found, &err);
		if (rows[i].algorithms) {
			assert_int_equal(rc, 0);
			assert_string_equal(found, rows[i].algorithms);
		} else {
			assert_int_equal(rc, -ENOENT);
			assert_contains(err.text, rows[i].reason);
			assert_string_equal(found, "untouched");
		}
	}
}

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		enum ssh_kex kex;
	} rows[] = {
		{"debug1: kex: algorithm: " MLKEM, SSH_KEX_MLKEM768},
		{"debug1: kex: algorithm: " SNTRUP, SSH_KEX_SNTRUP761},
		{"debug1: kex: algorithm: " SNTRUP "@openssh.com", SSH_KEX_SNTRUP761},
		{"debug1: kex.c:choose_kex():842 (pid=7): kex: algorithm: " MLKEM " [preauth]",
		 SSH_KEX_MLKEM768},
		{"debug1: kex: algorithm: curve25519-sha256", SSH_KEX_NONE},
		{"debug1: kex: algorithm: " MLKEM "x", SSH_KEX_NONE},
		{"debug1: kex: algorithm: (no match)", SSH_KEX_NONE},
		{"debug1: kex: host key algorithm: ssh-ed25519", SSH_KEX_NONE},
		{"", SSH_KEX_NONE},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++)
		if (ssh_kex_of_line(rows[i].line) != rows[i].kex)
			fail_msg("row %u", i);
	assert_string_equal(ssh_kex_name(SSH_KEX_MLKEM768), MLKEM);
	assert_string_equal(ssh_kex_name(SSH_KEX_SNTRUP761), SNTRUP);
	assert_null(ssh_kex_name(SSH_KEX_NONE));
}

/* What is installed here has at least one, or no tunnel could be built. */
static void test_installed(void **state)
{
	const struct ssh_kex_order order = {{0}};
	char found[SSH_KEX_ALGORITHMS_SIZE];
	ssh_kex_names names = 0;
	struct err err;

	(void)state;
	assert_int_equal(ssh_kex_ask(&names, &err), 0);
	assert_int_equal(ssh_kex_algorithms(&order, names, found, &err), 0);
	assert_contains(found, SNTRUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_installed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
