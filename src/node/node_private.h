/* node_private.h - what node.c and node_reload.c share; nobody else. */
#pragma once

#include "node/node.h"

/* Of a configuration that works, but for this. code 0: nothing is told. */
void node_warn(const struct err *warning);
