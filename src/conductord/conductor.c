#include "conductord/conductor.h"

#include <errno.h>
#include <string.h>

#include "conductord/routes.h"
#include "core/log_events.h"
#include "core/macros.h"

struct conductor *conductor_of(struct node *n)
{
	return container_of(n, struct conductor, node);
}

static int start(struct node *n, struct err *err)
{
	struct conductor *c = conductor_of(n);

	return registry_open(&c->registry, n->config->conductor.registry, n->config->name, err);
}

static void close_conductor(struct node *n, void (*closed)(void *owner), void *owner)
{
	struct conductor *c = conductor_of(n);

	registry_close(c->registry);
	c->registry = NULL;
	closed(owner);
}

const struct node_program conductor_program = {
	.name = "conductord",
	.role = CONFIG_CONDUCTOR,
	.routes = conductor_routes,
	.n_routes = N_CONDUCTOR_ROUTES,
	.start = start,
	.close = close_conductor,
};
