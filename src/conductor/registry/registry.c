/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/registry/registry_postgresql.h"
#include "conductor/registry/registry_sqlite.h"
#include "conductor/registry/registry_transaction.h"

int registry_find_driver(const struct registry_driver **ret, const char *uri, struct err *err)
{
	static const struct {
		const char *scheme;
		const struct registry_driver *driver;
	} rows[] = {
		{"sqlite:", &registry_sqlite},
		{"postgresql://", &registry_postgresql},
	};

	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		if (strncmp(uri, rows[i].scheme, strlen(rows[i].scheme)) != 0)
			continue;
		*ret = rows[i].driver;
		return 0;
	}
	return err_set(err, -EINVAL,
		       "registry: neither sqlite:/path nor postgresql://host/database");
}

void registry_rows_free(void *rows)
{
	free(*(void **)rows);
}

int registry_open(struct registry **ret, const char *uri, const char *conductor, struct err *err)
{
	const struct registry_driver *driver = NULL;
	int rc = registry_find_driver(&driver, uri, err);

	return rc < 0 ? rc : registry_open_driver(ret, driver, uri, conductor, err);
}

/* It is enough to know that a transaction could begin. */
static int ask_nothing(struct registry_session *session, void *work, struct err *err)
{
	(void)session;
	(void)work;
	(void)err;
	return 0;
}

int registry_check(struct registry *r, struct err *err)
{
	return registry_read(r, ask_nothing, NULL, err);
}
