/* SPDX-License-Identifier: GPL-3.0-or-later */
/* url_query.h - hides the query of a repository's URL, which an object store may have signed.
 *
 * Whoever knows the query gets the images. So it is a secret, although it is in the configuration
 * itself. Requests contain it, but it is never shown: where a URL is shown, "?..." stands in its
 * place.
 */
#pragma once

#include "base/err.h"

/* A copy of text with the query of each http URL in it replaced; NULL = out of memory. */
char *url_queries_hide(const char *text);

/* The same in a message. */
void url_queries_hide_in(struct err *err);
