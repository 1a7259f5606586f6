/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_sift.h - what of a refused configuration can be kept; for config.c alone.
 *
 * libyang stops at the first value that it refuses, and keeps nothing. So it is asked of each
 * member alone: those that it accepts are put into the tree, the others are faults.
 */
#pragma once

#include <cjson/cJSON.h>
#include <libyang/libyang.h>

#include "config/config_faults.h"

/* Add a fault for each member of document that is refused, and return the tree of the others.
 * document stays as it is. The caller frees it; NULL = nothing was left. */
struct lyd_node *config_sift(const struct ly_ctx *context, cJSON *document,
			     struct config_faults *faults);
