/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_s3_error.h - why an S3-compatible store refused a request, from the XML that it sends.
 *
 * Pure. The codes are those of "Error responses" in the API reference of Amazon S3.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

/* More of the body is not looked at. */
#define HTTP_S3_ERROR_SIZE_MAX 4096u

/* Adds the store's code to err, and what an operator can do about it. Without a code that can be
 * read, err stays as it is. */
void http_s3_error_tell(struct span body, struct err *err);
