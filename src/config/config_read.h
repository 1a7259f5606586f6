/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_read.h - from libyang's tree to struct config; for config.c alone. */
#pragma once

#include <libyang/libyang.h>

#include "base/err.h"
#include "base/settings.h"

/* tree is valid and has its defaults. -ENOMEM. */
int config_read(struct config **ret, const struct lyd_node *tree, struct err *err);
