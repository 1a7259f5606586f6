/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conductord - the conductor's daemon; and, with --tunnels, its helper in a private network. */
#include <stdio.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/macros.h"
#include "conductor/tunnels/tunnel_host.h"
#include "conductord/conductor.h"
#include "conductord/last_resort.h"
#include "conductord/schema.h"

static struct conductor conductor;

static int host_tunnels(const struct tunnel_host_options *options)
{
	struct err err;

	log_open("conductord-tunnels", false);
	if (tunnel_host_run(options, &err) == 0)
		return EX_OK;
	(void)fprintf(stderr, "%s\n", err.text);
	return EX_OSERR;
}

int main(int argc, char **argv)
{
	struct tunnel_host_options tunnels = {
		TUNNEL_HOST_DEFAULTS,
		.authorized_keys = "/var/lib/steward-conductor/authorized_keys",
	};
	struct schema_options schema = {0};
	bool is_helper = false;
	const struct options_more more[] = {
		{"schema", &schema.is_wanted, NULL,
		 "--schema       print the registry's tables, as SQL for PostgreSQL, and exit"},
		{"apply", NULL, &schema.apply,
		 "--apply URI    with --schema: make or upgrade them there, and exit"},
		{"role", NULL, &schema.role,
		 "--role R       with --schema: who gets the rights that a conductor needs"},
		{"tunnels", &is_helper, NULL,
		 "--tunnels      be the helper that runs sshd in a private network"},
		{"tunnels-directory", NULL, &tunnels.directory,
		 "--tunnels-directory D, --authorized-keys F: the helper's own files"},
		{"authorized-keys", NULL, &tunnels.authorized_keys, NULL},
	};
	const struct options_program program = {
		.name = "conductord",
		.config = CONFIG_CONDUCTOR_PATH,
		.more = more,
		.n_more = N_ELEMENTS(more),
	};
	struct options options;
	int rc = options_parse(&options, &program, argc, argv);

	if (rc >= 0)
		return rc;
	if (schema.is_wanted)
		return conductor_schema(&schema, options.config);
	if (schema.apply || schema.role) {
		(void)fputs("conductord: --apply and --role go with --schema\n", stderr);
		return EX_USAGE;
	}
	rc = is_helper ? host_tunnels(&tunnels)
		       : node_main(&conductor.node, &conductor_program, &options);
	last_resort_over();
	return rc;
}
