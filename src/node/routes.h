/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routes.h - the routes of the daemon's sockets: the control socket, and the repository for other
 * machines.
 */
#pragma once

#include "http/http_server.h"

/* The owner of each is the daemon. */
extern const struct http_route control_routes[];
extern const size_t n_control_routes;
/* What a conductor may ask of this node through its tunnel. */
#define N_LINK_ROUTES 11
extern const struct http_route link_routes[N_LINK_ROUTES];
extern const struct http_route shared_routes[];
extern const size_t n_shared_routes;

struct node;

/* The repository for other machines: shared_routes, for up to 4,000 routers at the same time. */
struct http_listener routes_shared_listener(struct node *n);
