/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_credentials.h - the credentials of a request: for the server, and for the proxy.
 *
 * libcurl sends those for the server to the configured host only, and those for the proxy to the
 * proxy only. A secret that is in a file is read for each request, so that a new one needs no
 * reload.
 */
#pragma once

#include <curl/curl.h>

#include "base/err.h"
#include "http/http_client.h"

/* Errors: those of a file that cannot be read. */
int http_credentials_set(CURL *easy, const struct http_access *access, struct err *err);
