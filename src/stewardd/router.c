#include "stewardd/router.h"

const struct node_program router_program = {
	.name = "stewardd",
	.role = CONFIG_ROUTER,
};
