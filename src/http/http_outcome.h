/* http_outcome.h - what libcurl's code means for who asked, in words for an operator. */
#pragma once

#include "http/http_request.h"

/* Fill result's outcome, and its err unless that is HTTP_DONE. */
void http_outcome_of(const struct http_request *request, CURLcode code, struct http_result *result);

/* Did it end at a redirect that was not followed? */
bool http_outcome_is_of_redirect(const struct http_request *request);
