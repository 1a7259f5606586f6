/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a daemon does before its loop runs. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "integrity/emergency.h"
#include "node/node.h"

#define EXIT_INTEGRITY_EVENT 1

static int refuse(const struct err *err)
{
	log_event(LOG_CONFIGURATION_REFUSED, &(struct log_fields){.reason = err->text},
		  "configuration refused: %s", err->text);
	return err->code == -EACCES ? EX_NOPERM : EX_CONFIG;
}

/* The first phase, which blocks: opens the encrypted directories, in which a part of the
 * configuration may be. Returns the exit status of the process. */
static int unlock(const char *path, enum config_role role, struct integrity *ret)
{
	_cleanup_(config_freep) struct config *early = NULL;
	struct failure f;

	if (config_load_early(&early, path, role, &f.err) < 0)
		return refuse(&f.err);
	if (integrity_unlock(&early->integrity, ret, &f) < 0) {
		emergency_tell(&f);
		return EXIT_INTEGRITY_EVENT;
	}
	return EX_OK;
}

/* Reports all that a start would report. --check opens no encrypted directory, so files that are
 * missing may be in one: they are reported, but do not make the check fail. */
static int check(const struct node_program *program, const struct options *options,
		 const struct config *config)
{
	char untold[ERR_TEXT_SIZE] = "";
	struct err err;

	if (bandwidth_check(&config->software_update, &err) < 0) {
		(void)err_wrap(&err, "%s", options->config);
		return refuse(&err);
	}
	if (program->check && program->check(config, untold, sizeof(untold), &err) < 0)
		return refuse(&err);
	if (untold[0])
		(void)fprintf(stderr, "not checked, as it is not there: %s\n", untold);
	(void)printf("%s is valid\n", options->config);
	return EX_OK;
}

/* Behind the line that a start would log there is what that has no room for. */
static int load_and_check(const struct node_program *program, const struct options *options)
{
	_cleanup_(config_freep) struct config *config = NULL;
	char *untold = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&untold, &size);
	struct err err;
	int rc = config_load_to_check(&config, options->config, program->role, out, &err);

	if (out)
		(void)fclose(out);
	rc = rc < 0 ? refuse(&err) : check(program, options, config);
	if (size > 0)
		(void)fputs(untold, stderr);
	free(untold);
	return rc;
}

int node_main(struct node *n, const struct node_program *program, const struct options *options)
{
	struct config *config;
	struct err err;
	int rc;

	log_open(program->name, options->foreground || options->check);
	(void)signal(SIGPIPE, SIG_IGN);
	if (options->check)
		return load_and_check(program, options);
	rc = unlock(options->config, program->role, &n->integrity);
	if (rc != EX_OK)
		return rc;
	if (config_load(&config, options->config, program->role, &err) < 0)
		return refuse(&err);
	return node_run(n, program, options->config, config);
}
