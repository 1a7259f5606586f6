/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reload.h - what of a conductor's configuration cannot change while it runs: port 930, the
 * registry and the routers depend on it.
 */
#pragma once

#include "config/config.h"

/* -EINVAL: new would change it. */
int conductor_check_reload(const struct config *old, const struct config *new, struct err *err);
