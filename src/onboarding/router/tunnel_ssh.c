/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/tunnel_ssh.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "onboarding/ssh_kex.h"

#define PATH_SIZE 512 /* longer ones are refused at the start */

/* ssh splits at blanks and colons, and knows quotes, patterns and %-tokens. */
static bool is_plain_path(const char *path)
{
	return path[0] == '/' && strlen(path) < PATH_SIZE && !strpbrk(path, " \t\r\n\"'\\%$~:*?");
}

int tunnel_ssh_check(const struct tunnel_options *o, struct err *err)
{
	const char *const paths[] = {o->key, o->known_hosts, o->socket};

	if (!o->kex[0])
		return err_set(err, -EINVAL, "%s", o->kex_problem);

	for (unsigned i = 0; i < N_ELEMENTS(paths); i++)
		if (!is_plain_path(paths[i]))
			return err_set(err, -EINVAL, "'%s' cannot be a path of ssh's", paths[i]);
	return 0;
}

/* Every option that a configuration file of the machine or of root could set is named here, or
 * in the paths that follow them. */
static const char *const ssh_options[] = {
	"-F", "none",
	"-N", "-T",
	"-v", "-a",
	"-x", "-k",
	"-o", "IdentitiesOnly=yes",
	"-o", "IdentityAgent=none",
	"-o", "GlobalKnownHostsFile=/dev/null",
	"-o", "StrictHostKeyChecking=yes",
	"-o", "UpdateHostKeys=no",
	"-o", "VerifyHostKeyDNS=no",
	"-o", "CheckHostIP=no",
	"-o", "BatchMode=yes",
	"-o", "PreferredAuthentications=publickey",
	"-o", "ExitOnForwardFailure=yes",
	"-o", "ConnectTimeout=15",
	"-o", "ServerAliveInterval=15",
	"-o", "ServerAliveCountMax=3",
	"-o", "EscapeChar=none",
};

/* argv: what stays the same for each conductor, then what names this one. */
void tunnel_ssh_start(struct process *ssh, uv_loop_t *loop, const struct tunnel_options *o,
		      uint16_t local_port, process_said_cb said, process_exited_cb exited)
{
	char us[16];
	char key[PATH_SIZE + 32];
	char known_hosts[PATH_SIZE + 32];
	char remote[PATH_SIZE + 32];
	char local[64];
	char port[8];
	char kex[SSH_KEX_ALGORITHMS_SIZE + 16];
	const char *const who_runs[] = {PROCESS_TIED, us, o->ssh};
	const char *const whereto[] = {"-o", kex,     "-o", key,     "-o", known_hosts,
				       "-R", remote,  "-L", local,   "-p", port,
				       "-l", o->user, "--", o->host, NULL};
	const char *argv[N_ELEMENTS(who_runs) + N_ELEMENTS(ssh_options) + N_ELEMENTS(whereto)];

	(void)snprintf(us, sizeof(us), "%d", getpid());
	(void)snprintf(kex, sizeof(kex), "KexAlgorithms=%s", o->kex);
	(void)snprintf(key, sizeof(key), "IdentityFile=%s", o->key);
	(void)snprintf(known_hosts, sizeof(known_hosts), "UserKnownHostsFile=%s", o->known_hosts);
	(void)snprintf(remote, sizeof(remote), "localhost:%u:%s", o->listen_port, o->socket);
	(void)snprintf(local, sizeof(local), "127.0.0.1:%u:localhost:%u", local_port,
		       o->repository_port);
	(void)snprintf(port, sizeof(port), "%u", o->port);
	memcpy(argv, who_runs, sizeof(who_runs));
	memcpy(argv + N_ELEMENTS(who_runs), ssh_options, sizeof(ssh_options));
	memcpy(argv + N_ELEMENTS(who_runs) + N_ELEMENTS(ssh_options), whereto, sizeof(whereto));
	process_start(ssh, loop,
		      &(struct process_options){
			      .argv = argv, .stdio = -1, .fd = -1, .said = said, .exited = exited});
}

static bool begins_with(const char *line, const char *begin)
{
	return strncmp(line, begin, strlen(begin)) == 0;
}

/* -v tells how far it is; these lines are no reason for an end. */
static bool is_chatter(const char *line)
{
	static const char *const begins[] = {
		"debug1: ",      "OpenSSH_",           "Authenticated to ",
		"Transferred: ", "Bytes per second: ", "Killed by signal ", /* ours */
	};

	for (unsigned i = 0; i < N_ELEMENTS(begins); i++)
		if (begins_with(line, begins[i]))
			return true;
	return *line == '\0';
}

/* "debug1: Connecting to HOST [ADDRESS] port 930." */
static void take_address(const char *line, char ret[static INET6_ADDRSTRLEN])
{
	const char *begin = strchr(line, '[');

	if (begin)
		(void)snprintf(ret, INET6_ADDRSTRLEN, "%.*s", (int)strcspn(begin + 1, "]"),
			       begin + 1);
}

bool tunnel_ssh_tells_host_key(const char *line, char ret[static TUNNEL_SSH_FINGERPRINT_SIZE])
{
	static const char mark[] = " SHA256:";
	const char *at = strstr(line, mark);

	if (!begins_with(line, "debug1: Server host key: ") || !at ||
	    strlen(at + sizeof(mark) - 1) != TUNNEL_SSH_FINGERPRINT_SIZE - 1)
		return false;
	(void)snprintf(ret, TUNNEL_SSH_FINGERPRINT_SIZE, "%s", at + sizeof(mark) - 1);
	return true;
}

enum tunnel_ssh_line tunnel_ssh_judge(const char *line, char ret[static INET6_ADDRSTRLEN])
{
	if (begins_with(line, "debug1: Connecting to ")) {
		take_address(line, ret);
		return TUNNEL_SSH_CONNECTS;
	}
	if (begins_with(line, "debug1: Remote protocol version "))
		return TUNNEL_SSH_HEARD;
	if (begins_with(line, "debug1: SSH2_MSG_NEWKEYS received"))
		return TUNNEL_SSH_AGREED;
	/* The last of the two forwardings: it is asked for when the local port is taken. */
	if (begins_with(line, "debug1: remote forward success for: "))
		return TUNNEL_SSH_GRANTED;
	return is_chatter(line) ? TUNNEL_SSH_CHATTER : TUNNEL_SSH_REASON;
}
