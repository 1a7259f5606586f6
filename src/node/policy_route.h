/* policy_route.h - a signed PCR policy is brought to this node: by who may change it, or by its
 * conductor through the tunnel. */
#pragma once

#include "core/http_exchange.h"

void policy_route_put(struct http_exchange *x);
