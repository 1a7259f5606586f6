/* images.h - the routes of the node's images: list, import, verify, delete, serve.
 *
 * An import is a manifest, verified and kept in memory, and then the file, verified piece by piece
 * as it streams in and published when the last one matches.
 */
#pragma once

#include "http/http_server.h"

void images_list(struct http_exchange *x);
void images_delete(struct http_exchange *x);
void images_verify(struct http_exchange *x);
void images_put_manifest(struct http_exchange *x);
void images_upload_file(struct http_exchange *x, struct span bytes);
void images_put_file(struct http_exchange *x);

struct node;

/* A conductor in offline-mode offers to others nothing but what was imported. */
bool images_only_imported(const struct node *n);

/* For others, over TCP. */
/* 503: of our own trouble, -errno, nobody is told that the image is not there. */
void images_reply_unreadable(struct http_exchange *x, int code);
void images_serve_path(struct http_exchange *x, const char *path, const char *type);
void images_serve_index(struct http_exchange *x);
void images_serve_file(struct http_exchange *x);

/* Forget manifests whose file never came. */
void images_forget_imports(void);
