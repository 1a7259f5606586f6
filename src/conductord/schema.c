/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/macros.h"
#include "conductor/registry/registry_postgresql.h"
#include "conductor/registry/registry_schema.h"
#include "conductor/registry/registry_schema_owner.h"
#include "config/config.h"
#include "config/config_memory.h"

#define POSTGRESQL "postgresql://"

static int tell(int status, const char *what)
{
	(void)fprintf(stderr, "conductord: %s\n", what);
	return status;
}

/* As whom the conductor connects. *ret: NULL if that is not to be seen, as on the machine of the
 * database, which has no configuration of ours. */
static int read_role(const char *config_path, char **ret, struct err *err)
{
	_cleanup_(config_freep) struct config *config = NULL;
	int rc = config_load(&config, config_path, CONFIG_CONDUCTOR, err);

	if (rc == -ENOENT || rc == -EACCES) {
		(void)tell(0, err->text);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (strncmp(config->conductor.registry, POSTGRESQL, strlen(POSTGRESQL)) == 0)
		rc = registry_postgresql_role(config->conductor.registry, ret, err);
	return rc;
}

static int print(const char *role)
{
	if (!role)
		(void)tell(0, "no role is given rights: name the conductors' with --role");
	registry_schema_print(stdout, role);
	return fflush(stdout) == 0 && !ferror(stdout)
		       ? EX_OK
		       : tell(EX_IOERR, "the schema could not be written");
}

static int apply(const char *uri, const char *role)
{
	struct err err;

	if (registry_schema_apply(uri, role, &err) < 0)
		return tell(err.code == -EINVAL ? EX_USAGE : EX_UNAVAILABLE, err.text);
	(void)printf("The registry's tables are of version %u.\n", registry_schema_version());
	if (role)
		(void)printf("Role %s may read and write them.\n", role);
	return EX_OK;
}

int conductor_schema(const struct schema_options *options, const char *config_path)
{
	const bool has_roles =
		!options->apply || strncmp(options->apply, POSTGRESQL, strlen(POSTGRESQL)) == 0;
	char *configured = NULL;
	const char *role = options->role;
	struct err err;
	int status;

	if (!role && has_roles) {
		if (read_role(config_path, &configured, &err) < 0)
			return tell(EX_CONFIG, err.text);
		role = configured;
	}
	status = options->apply ? apply(options->apply, role) : print(role);
	free(configured);
	return status;
}
