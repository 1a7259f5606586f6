/* SPDX-License-Identifier: GPL-3.0-or-later */
/* openapi.h - GET /v1/openapi.json: what the control socket has, for programs (OpenAPI 3.1).
 *
 * What all nodes have is packaging/openapi/node.json; a program adds the paths and components of
 * its own (struct node_program). Each daemon so describes the routes that it has, and no others.
 */
#pragma once

#include "http/http_server.h"

struct node;

extern const char openapi_node[]; /* zero-terminated */

/* The whole document of a program. more: its part, or NULL. NULL: out of memory, or the parts do
 * not fit together. */
cJSON *openapi_join(const char *more);

void openapi_reply(const struct node *n, struct http_exchange *x);
