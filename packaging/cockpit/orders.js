/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several parts of a conductor's page need to ask it. */

export const AT_ONCE = 4;       /* routers that get an order at the same time */
export const ASKED_AT_ONCE = 8; /* that are asked something */
export const router_path = name => "/v1/routers/" + encodeURIComponent(name);
export const node_path = (router, node) => router_path(router) + "/nodes/" + encodeURIComponent(node);
