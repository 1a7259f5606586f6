/* url_query.h - the query of a repository's URL: what a store hands out may be signed in it.
 *
 * Who knows the query gets the images: it is a secret that stands in the configuration itself. It
 * is asked with, and shown to nobody; where a URL is shown, "?..." stands in its place.
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"

/* A copy of text with the query of each http URL in it replaced; NULL = out of memory. */
char *url_queries_hide(const char *text);

/* The same in a message. */
void url_queries_hide_in(struct err *err);

/* What came back from somebody to whom old was shown: a source's URL whose query is not shown gets
 * the one that it has in old. Both are the members of a router's or conductor's configuration.
 * -ENOMEM. */
int url_queries_restore(cJSON *configuration, const cJSON *old);
