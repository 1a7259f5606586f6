/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.h - what other machines may read of a node's images: the HA peer, and a conductor's
 * routers.
 *
 * Complete images are in the index. Of an image that is still being downloaded there are its
 * manifest, `pieces`, and the ranges that are verified.
 */
#pragma once

#include "http/http_server.h"

/* GET /index.json */
void share_serve_index(struct http_exchange *x);
/* GET /{version}/{file} */
void share_serve_file(struct http_exchange *x);
/* The same, and the program is not asked (struct node_program). */
void share_serve_own_file(struct http_exchange *x);
