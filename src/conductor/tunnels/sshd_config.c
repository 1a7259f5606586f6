/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/tunnels/sshd_config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/atomic_file.h"
#include "base/macros.h"

static const char format[] = "# Written by conductord at each start.\n"
			     "HostKey %s\n"
			     "%s"
			     "AllowUsers %s\n"
			     "LoginGraceTime %u\n"
			     "HostKeyAlgorithms ssh-ed25519\n"
			     "KexAlgorithms %s\n"
			     "PubkeyAcceptedAlgorithms ssh-ed25519\n"
			     "AuthenticationMethods publickey\n"
			     "PasswordAuthentication no\n"
			     "KbdInteractiveAuthentication no\n"
			     "UsePAM no\n"
			     /* The keys are in a folder of the conductor and not in the user's
			      * home, so sshd must not check the folders above it. */
			     "StrictModes no\n"
			     "MaxAuthTries 2\n"
			     /* No shell, command or subsystem at all. The options below forbid once
			      * more everything that a session could be. */
			     "MaxSessions 0\n"
			     "ForceCommand /bin/false\n"
			     "PermitTTY no\n"
			     "PermitUserRC no\n"
			     "PermitUserEnvironment no\n"
			     "PermitTunnel no\n"
			     "AllowAgentForwarding no\n"
			     "X11Forwarding no\n"
			     "AllowStreamLocalForwarding no\n"
			     /* The line of each key says to which ports it may forward. */
			     "AllowTcpForwarding yes\n"
			     "GatewayPorts no\n"
			     "AddressFamily inet\n"
			     "ClientAliveInterval 15\n"
			     "ClientAliveCountMax 3\n"
			     "Compression no\n"
			     "UseDNS no\n"
			     "PidFile none\n"
			     "LogLevel INFO\n"
			     /* With this, sshd also logs which key exchange it has agreed on. */
			     "LogVerbose kex.c:choose_kex():*\n";

/* sshd itself would read the file from its beginning up to the key, and decode each line: of 50,000
 * that takes longer than all else in a login. */
static const char look_up[] = "AuthorizedKeysFile none\n"
			      "AuthorizedKeysCommand " SSHD_CONFIG_LOOK_UP " %%k %s\n"
			      "AuthorizedKeysCommandUser %s\n";

static void freep(char **text)
{
	free(*text);
}

/* Has this word a plain meaning for sshd, which splits at blanks and knows quotes, comments,
 * patterns and %-tokens? */
static bool is_plain(const char *word)
{
	return *word && !strpbrk(word, " \t\r\n\"'#\\%*?!,@");
}

int sshd_config_write(const char *path, const struct sshd_config *config, struct err *err)
{
	const char *const words[] = {config->user, config->host_key, config->authorized_keys};
	_cleanup_(freep) char *keys = NULL;
	_cleanup_(freep) char *text = NULL;
	int n;

	for (unsigned i = 0; i < N_ELEMENTS(words); i++)
		if (!is_plain(words[i]))
			return err_set(err, -EINVAL, "'%s' cannot stand in sshd's configuration",
				       words[i]);
	if (config->reads_keys_itself)
		n = asprintf(&keys, "AuthorizedKeysFile %s\n", config->authorized_keys);
	else
		n = asprintf(&keys, look_up, config->authorized_keys, config->user);
	if (n < 0)
		keys = NULL;
	if (n < 0 || asprintf(&text, format, config->host_key, keys, config->user,
			      config->login_grace_s, config->kex) < 0) {
		text = NULL;
		return err_set_errno(err, -ENOMEM, "configuration of sshd");
	}
	return atomic_file_write(path, span_of_string(text), 0600, err);
}

/* In a user namespace without root nobody's file is root's. */
bool sshd_config_may_look_up(void)
{
	struct stat st;

	return stat(SSHD_CONFIG_LOOK_UP_PROGRAM, &st) == 0 && st.st_uid == 0;
}
