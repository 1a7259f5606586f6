/* images.h - the routes of the node's images: list, import, verify, delete, serve.
 *
 * An import is a manifest, which is verified and kept in memory, and then the file, which is
 * verified piece by piece as it arrives and published when the last piece matches.
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

/* A conductor in offline-mode offers only imported images. */
bool images_only_imported(const struct node *n);

/* For other machines, over TCP. */
/* Answers 503 for an error of our own disk (-errno): the image may still be there, so 404 would
 * be wrong. */
void images_reply_unreadable(struct http_exchange *x, int code);
void images_serve_path(struct http_exchange *x, const char *path, const char *type);
void images_serve_index(struct http_exchange *x);
void images_serve_file(struct http_exchange *x);

/* Forget manifests whose file never came. */
void images_forget_imports(void);
