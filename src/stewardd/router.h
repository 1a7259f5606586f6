/* router.h - what makes a node stewardd: the router's side of onboarding.
 */
#pragma once

#include "node/node.h"

extern const struct node_program router_program;
