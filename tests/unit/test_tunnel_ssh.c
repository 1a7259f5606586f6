/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the lines of `ssh -v` mean; OpenSSH 9.2 and 10.0 say these. */
#include "support.h"

#include "base/macros.h"
#include "onboarding/router/tunnel_ssh.h"

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		enum tunnel_ssh_line what;
		const char *address;
	} rows[] = {
		{"debug1: Connecting to host.test [192.0.2.7] port 930.", TUNNEL_SSH_CONNECTS,
		 "192.0.2.7"},
		{"debug1: Connecting to host.test [2001:db8::7] port 930.", TUNNEL_SSH_CONNECTS,
		 "2001:db8::7"},
		/* Of no use, and nothing is written beyond its end. */
		{"debug1: Connecting to host.test port 930.", TUNNEL_SSH_CONNECTS, "before"},
		{"debug1: Connecting to h [0123456789012345678901234567890123456789012345678]",
		 TUNNEL_SSH_CONNECTS, "012345678901234567890123456789012345678901234"},
		{"debug1: Remote protocol version 2.0, remote software version x", TUNNEL_SSH_HEARD,
		 "before"},
		{"debug1: SSH2_MSG_KEXINIT received", TUNNEL_SSH_CHATTER, "before"},
		{"debug1: SSH2_MSG_NEWKEYS received", TUNNEL_SSH_AGREED, "before"},
		{"debug1: remote forward success for: listen localhost:10000, connect /s:-2",
		 TUNNEL_SSH_GRANTED, "before"},
		{"Authenticated to host.test ([192.0.2.7]:930) using \"publickey\".",
		 TUNNEL_SSH_CHATTER, "before"},
		{"", TUNNEL_SSH_CHATTER, "before"},
		{"Connection closed by 192.0.2.7 port 930", TUNNEL_SSH_REASON, "before"},
		{"Host key verification failed.", TUNNEL_SSH_REASON, "before"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char address[INET6_ADDRSTRLEN] = "before";

		assert_int_equal(tunnel_ssh_judge(rows[i].line, address), rows[i].what);
		assert_string_equal(address, rows[i].address);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
