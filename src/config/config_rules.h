/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_rules.h - what does not fit together in a configuration; for config.c alone.
 *
 * libyang stops at the first rule between leaves that does not hold. Here are all: must, leaves
 * that have to be there, what stands twice, and how often something may stand.
 */
#pragma once

#include <libyang/libyang.h>

#include "config/config_faults.h"

/* Add a fault for each rule that tree does not keep. Its defaults are in it. A rule that looks at a
 * value that was left out of the tree cannot be judged. */
void config_rules_check(const struct lyd_node *tree, struct config_faults *faults);
