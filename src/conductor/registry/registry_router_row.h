/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_router_row.h - for the registry's parts, within their transaction: does a router exist,
 * and what is its mode?
 */
#pragma once

#include "base/err.h"
#include "onboarding/mode.h"

struct registry_session;

/* -EINVAL: what (a router, a node, an asset-id) cannot have this name. Also without a transaction.
 */
int registry_check_name(const char *what, const char *name, struct err *err);

/* Makes the router, if it is not there yet: disabled, without a secret. */
int registry_router_ensure(struct registry_session *session, const char *router, struct err *err);

/* -ENOENT: there is no such router. */
int registry_router_mode(struct registry_session *session, const char *router,
			 enum onboarding_mode *ret, struct err *err);
