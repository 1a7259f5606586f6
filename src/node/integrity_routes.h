/* integrity_routes.h - what is brought to and fetched from a node for its encrypted directories, by
 * who may, or by its conductor through the tunnel: a signed PCR policy; recovery.json, which a
 * conductor may keep. */
#pragma once

#include "http/http_exchange.h"

void integrity_put_policy(struct http_exchange *x);
void integrity_get_recovery(struct http_exchange *x);
