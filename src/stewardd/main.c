/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stewardd - the router's daemon. */
#include "base/process.h"
#include "stewardd/router.h"

static struct router router;

int main(int argc, char **argv)
{
	const struct options_program program = {.name = "stewardd", .config = CONFIG_ROUTER_PATH};
	struct options options;
	int rc = process_become_tied(argv);

	if (rc >= 0)
		return rc;
	rc = options_parse(&options, &program, argc, argv);
	return rc >= 0 ? rc : node_main(&router.node, &router_program, &options);
}
