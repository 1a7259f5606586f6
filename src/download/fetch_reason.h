/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch_reason.h - what a conductor says of an image that it does not have (yet): a problem
 * document (RFC 9457), read from an answer whose status is not 200.
 */
#pragma once

#include "base/err.h"
#include "http/http_fetch.h"

/* err becomes "HTTP 502: " and the document's detail, or the status alone if no such document came.
 */
void fetch_reason_tell(const struct http_fetch_result *result, struct err *err);
