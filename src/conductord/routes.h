/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routes.h - the routes of conductord's control socket besides those that every node has
 * (docs/onboarding.md, "Conductor's socket").
 */
#pragma once

#include "http/http_server.h"

#define N_CONDUCTOR_ROUTES 40
extern const struct http_route conductor_routes[N_CONDUCTOR_ROUTES];
