/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lists of registry_routers.h. */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/registry/registry_transaction.h"

#define ROUTERS                                                                                    \
	"SELECT name, mode, CASE WHEN secret IS NULL THEN 0 ELSE 1 END, revision,"                 \
	" (SELECT COUNT(*) FROM nodes WHERE router = routers.name),"                               \
	" (SELECT COUNT(*) FROM enrolments WHERE router = routers.name)"                           \
	" FROM routers"
#define PAGE(bytewise) ROUTERS " WHERE name" bytewise " > $1 ORDER BY name" bytewise " LIMIT $2"

static void read_router(struct query *q, void *row)
{
	struct registry_router *router = row;
	char mode[16];

	query_text(q, 0, router->name, sizeof(router->name));
	query_text(q, 1, mode, sizeof(mode));
	(void)onboarding_mode_from_name(mode, &router->mode);
	router->has_secret = query_integer(q, 2) != 0;
	router->revision = query_integer(q, 3);
	router->n_nodes = query_integer(q, 4);
	router->n_enrolled = query_integer(q, 5);
}

/* Sorts by bytes, whatever the database's collation is. */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct registry_router *)a)->name,
		      ((const struct registry_router *)b)->name);
}

int registry_routers_list(struct registry *r, struct registry_router **ret, size_t *ret_n,
			  struct err *err)
{
	struct registry_listing list = {
		.sql = ROUTERS,
		.row_size = sizeof(**ret),
		.read = read_router,
		.compare = by_name,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

int registry_routers_page(struct registry *r, const char *after, size_t limit,
			  struct registry_router **ret, size_t *ret_n, struct err *err)
{
	struct registry_listing list = {
		.sql = PAGE(""),
		.sql_collated = PAGE(REGISTRY_BYTEWISE),
		.values = {value_text(after), value_integer((int64_t)limit)},
		.n_values = 2,
		.row_size = sizeof(**ret),
		.read = read_router,
	};

	return registry_list(r, &list, ret, ret_n, err);
}

int registry_router_find(struct registry *r, const char *router, struct registry_router *ret,
			 struct err *err)
{
	struct registry_listing list = {
		.sql = ROUTERS " WHERE name = $1",
		.values = {value_text(router)},
		.n_values = 1,
		.row_size = sizeof(*ret),
		.read = read_router,
	};
	int rc = registry_find(r, &list, ret, err);

	return rc == 0 ? err_set(err, -ENOENT, "there is no router %s", router) : MIN(rc, 0);
}
