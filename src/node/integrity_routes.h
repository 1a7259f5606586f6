/* SPDX-License-Identifier: GPL-3.0-or-later */
/* integrity_routes.h - routes for the encrypted directories: take a signed PCR policy, and return
 * recovery.json. For local users who may, and for the conductor through the tunnel.
 */
#pragma once

#include "http/http_server.h"

void integrity_put_policy(struct http_exchange *x);
void integrity_get_recovery(struct http_exchange *x);
