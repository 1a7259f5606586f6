/* conductord - the conductor's daemon. */
#include "conductord/conductor.h"

static struct conductor conductor;

int main(int argc, char **argv)
{
	const struct options_program program = {
		.name = "conductord",
		.config = CONFIG_CONDUCTOR_PATH,
	};
	struct options options;
	int rc = options_parse(&options, &program, argc, argv);

	return rc >= 0 ? rc : node_main(&conductor.node, &conductor_program, &options);
}
