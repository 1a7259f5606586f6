/* SPDX-License-Identifier: GPL-3.0-or-later */
/* node_private.h - what node_run.c and node_reload.c share; nobody else. */
#pragma once

#include "node/node.h"

/* Logs a warning about a configuration that is otherwise used. code 0: nothing is logged. */
void node_warn(const struct err *warning);
