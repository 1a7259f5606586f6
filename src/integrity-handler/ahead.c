/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity-handler/ahead.h"

#include <errno.h>

#include "base/macros.h"
#include "integrity/config_ahead.h"

struct checking {
	const char *path;
	const struct config_integrity *ahead; /* NULL = nothing was read ahead */
	bool is_checked;
	struct config *config; /* NULL = refused */
	struct err refusal;
};

static void check(struct checking *c)
{
	if (c->is_checked)
		return;
	c->is_checked = true;
	(void)config_load_early(&c->config, c->path, CONFIG_ANY, &c->refusal);
}

static int is_as_read(void *owner)
{
	struct checking *c = owner;

	check(c);
	return c->ahead && c->config && config_integrity_equal(&c->config->integrity, c->ahead)
		       ? 0
		       : -ECANCELED;
}

static int unlock_checked(struct checking *c, struct integrity *ret, struct failure *f)
{
	check(c);
	if (c->config)
		return integrity_unlock(&c->config->integrity, ret, f);
	*f = (struct failure){.err = c->refusal};
	return f->err.code;
}

int ahead_unlock(const char *path, struct config **ret_config, struct integrity *ret,
		 struct failure *f)
{
	_cleanup_(config_freep) struct config *ahead = NULL;
	struct checking c = {.path = path};
	const struct unlock_check as_read = {.passes = is_as_read, .owner = &c};
	int rc = -ECANCELED;

	if (config_ahead_read(&ahead, path) == 0) {
		c.ahead = &ahead->integrity;
		rc = integrity_unlock_checked(c.ahead, &as_read, ret, f);
	}
	/* It may have failed before anybody asked. */
	if (is_as_read(&c) < 0)
		rc = unlock_checked(&c, ret, f);
	*ret_config = c.config;
	return rc;
}
