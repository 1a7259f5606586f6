/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check.h - what a start would refuse in a configuration (conductord --check). */
#pragma once

#include <stddef.h>

#include "config/config.h"

/* See struct node_program. */
int conductor_check(const struct config *config, char *ret_untold, size_t size, struct err *err);
