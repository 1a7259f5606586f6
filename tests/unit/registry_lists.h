/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_lists.h - what is in a registry, as a whole: a test asks for all that the daemons ask
 * for in pages, or as news. Rows are freed with free().
 */
#pragma once

#include <limits.h>
#include <stdlib.h>

#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_key_news.h"
#include "conductor/registry/registry_tokens.h"

/* By router and node; router: NULL = of all. */
static inline int list_enrolments(struct registry *r, const char *router,
				  struct registry_enrolment **ret, size_t *ret_n, struct err *err)
{
	return registry_enrolments_page(r, router, "", "", INT_MAX, ret, ret_n, err);
}

/* In the order of issue; router: NULL = of all. */
static inline int list_tokens(struct registry *r, const char *router, struct registry_token **ret,
			      size_t *ret_n, struct err *err)
{
	return registry_tokens_page(r, router, 0, "", INT_MAX, ret, ret_n, err);
}

/* All that may log in, by their ports. */
static inline int list_keys(struct registry *r, struct registry_authorized_key **ret, size_t *ret_n,
			    struct err *err)
{
	struct registry_key_marks marks = {.n = 0};
	struct registry_key_news news;
	int rc = registry_key_news_read(r, &marks, &news, err);

	if (rc < 0)
		return rc;
	free(news.routers);
	*ret = news.keys;
	*ret_n = news.n_keys;
	return 0;
}
