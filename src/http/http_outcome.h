/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_outcome.h - translates libcurl's result into an outcome for the caller, with a message for
 * an operator.
 */
#pragma once

#include "http/http_client_private.h"

/* Fill result's outcome, and its err unless that is HTTP_DONE. */
void http_outcome_of(const struct http_request *request, CURLcode code, struct http_result *result);

/* Did it end at a redirect that was not followed? */
bool http_outcome_is_of_redirect(const struct http_request *request);
