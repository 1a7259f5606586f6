/* config_faults.h - what else does not fit together in a configuration; for config.c alone.
 *
 * libyang stops at the first rule between leaves that does not hold. An operator who mends one is
 * not to be told of the next by the next try.
 */
#pragma once

#include <libyang/libyang.h>

#include "base/err.h"

/* After lyd_validate_all() refused tree and err told why: add what else it would have refused, each
 * in the same form, as far as there is room. Rules (must) and leaves that must be there; what is
 * told already is not told again. */
void config_faults_add(const struct lyd_node *tree, struct err *err);
