/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_context.h - libyang with our model loaded; for config*.c alone.
 */
#pragma once

#include <libyang/libyang.h>

#include "base/err.h"

/* Freed by config_context_freep(). -ENOMEM, -EIO. */
int config_context_new(struct ly_ctx **ret, struct err *err);
void config_context_freep(struct ly_ctx **context);
