/* http_credentials.h - what a request shows of whom it comes from: to the server, and to the proxy.
 *
 * libcurl shows a server's to the configured host alone, and a proxy's to the proxy alone. Secrets
 * are read from their files for each request, so that a new one needs no reload.
 */
#pragma once

#include <curl/curl.h>

#include "base/err.h"
#include "http/http_client.h"

/* Errors: those of a file that cannot be read. */
int http_credentials_set(CURL *easy, const struct http_access *access, struct err *err);
