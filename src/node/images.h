/* SPDX-License-Identifier: GPL-3.0-or-later */
/* images.h - the routes of the node's images: list, verify, delete, serve. */
#pragma once

#include "http/http_server.h"

void images_list(struct http_exchange *x);
void images_delete(struct http_exchange *x);
void images_verify(struct http_exchange *x);

struct node;

/* A conductor in offline-mode offers only imported images. */
bool images_only_imported(const struct node *n);

/* For other machines, over TCP. */
/* Answers 503 for an error of our own disk (-errno): the image may still be there, so 404 would
 * be wrong. */
void images_reply_unreadable(struct http_exchange *x, int code);
void images_serve_path(struct http_exchange *x, const char *path, const char *type);
void images_serve_index(struct http_exchange *x);
void images_serve_file(struct http_exchange *x);
