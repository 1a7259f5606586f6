/* stewardd - the router's daemon. */
#include "stewardd/router.h"

static struct router router;

int main(int argc, char **argv)
{
	const struct options_program program = {.name = "stewardd", .config = CONFIG_ROUTER_PATH};
	struct options options;
	int rc = options_parse(&options, &program, argc, argv);

	return rc >= 0 ? rc : node_main(&router.node, &router_program, &options);
}
