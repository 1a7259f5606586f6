/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Configuration Integrity from the command line. What changes it is done by integrity-handler,
 * which has the rights for it and needs no daemon: on the day of an integrity event there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "config/config.h"
#include "integrity/status.h"
#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/harmless.h"
#include "stewardctl/show.h"

#define HANDLER "integrity-handler"

/* The handler is beside this program in a build tree; else it is in the sbin folder beside its
 * bin folder. */
static bool find_handler(char ret[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *folder;

	if (n < 0)
		return false;
	self[n] = '\0';
	folder = dirname(self);
	(void)snprintf(ret, PATH_MAX, "%s/" HANDLER, folder);
	if (access(ret, X_OK) == 0)
		return true;
	(void)snprintf(ret, PATH_MAX, "%s/../sbin/" HANDLER, folder);
	return access(ret, X_OK) == 0;
}

static const char *config_of(const struct invocation *invocation)
{
	return invocation->config ? invocation->config : config_default_path();
}

/* Replaces this process by the handler, so that its exit status is ours. */
static int become_handler(const struct invocation *invocation, const char *request)
{
	char path[PATH_MAX];

	if (!find_handler(path)) {
		(void)fprintf(stderr, "stewardctl: " HANDLER " is not installed\n");
		return EXIT_REFUSED;
	}
	(void)execl(path, HANDLER, "--config", config_of(invocation), "--request", request,
		    (char *)NULL);
	(void)fprintf(stderr, "stewardctl: %s: %s\n", path, strerror(errno));
	return EXIT_REFUSED;
}

int command_enable_integrity(const struct invocation *invocation)
{
	return become_handler(invocation,
			      invocation_value(invocation, "migrate") ? "migrate" : "enable");
}

int command_zeroize_integrity(const struct invocation *invocation)
{
	return become_handler(invocation, "zeroize");
}

int command_reseal_integrity(const struct invocation *invocation)
{
	return become_handler(invocation, "reseal");
}

static int refuse_file(const char *path, const char *why)
{
	(void)fprintf(stderr, "stewardctl: %s: %s\n", path, why);
	return EXIT_REFUSED;
}

/* A key file that others can read is refused, since it is not secret any more. */
static int take_as_stdin(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int rc = EXIT_DONE;

	if (fd < 0)
		return refuse_file(path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = refuse_file(path, "not a regular file");
	else if (st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		rc = refuse_file(path, "expected a file of yours that nobody else may read (0600)");
	else if (dup2(fd, STDIN_FILENO) < 0)
		rc = refuse_file(path, strerror(errno));
	(void)close(fd);
	return rc;
}

int command_recover_integrity(const struct invocation *invocation)
{
	const char *file = invocation_value(invocation, "file");
	int rc = file ? take_as_stdin(file) : EXIT_DONE;

	return rc == EXIT_DONE ? become_handler(invocation, "recover") : rc;
}

static int show_without_daemon(const struct invocation *invocation)
{
	_cleanup_(config_freep) struct config *config = NULL;
	cJSON *status;
	char *text;
	struct err err;

	if (config_load_early(&config, config_of(invocation), CONFIG_ANY, &err) < 0) {
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	status = integrity_status(&config->integrity, NULL);
	text = invocation->json ? cJSON_PrintUnformatted(status) : NULL;
	harmless_make(status);
	if (text)
		harmless_say_json(text);
	else
		show_integrity(status);
	free(text);
	cJSON_Delete(status);
	return EXIT_DONE;
}

/* While the directories cannot be opened no daemon runs. Then the state is read from the disk and
 * the kernel. */
int command_show_integrity(const struct invocation *invocation)
{
	struct client client = command_client(invocation);

	if (invocation->config || access(client.socket, F_OK) < 0)
		return show_without_daemon(invocation);
	return command_ask(invocation, "GET", "/v1/integrity", NULL, show_integrity);
}
