/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import.h - the routes that bring an image to a node: its manifest, and then its file.
 *
 * The manifest is verified and kept in memory. The file is verified piece by piece as it arrives,
 * and published when the last piece matches.
 */
#pragma once

#include "http/http_server.h"

void import_put_manifest(struct http_exchange *x);
void import_upload_file(struct http_exchange *x, struct span bytes);
void import_put_file(struct http_exchange *x);

/* Forget manifests whose file never came. */
void import_forget_manifests(void);
