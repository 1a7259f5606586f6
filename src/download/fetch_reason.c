/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/fetch_reason.h"

#include <errno.h>

#include "base/json.h"
#include "base/macros.h"

#define PROBLEM_SIZE_MAX (64u << 10)

void fetch_reason_tell(const struct http_fetch_result *result, struct err *err)
{
	_cleanup_(json_freep) cJSON *problem = NULL;
	struct err ignored;
	const char *detail;

	if (json_parse(&problem, result->body, PROBLEM_SIZE_MAX, &ignored) == 0 &&
	    json_get_string(problem, "detail", ERR_TEXT_SIZE, &detail, &ignored) == 0)
		(void)err_set(err, -EPROTO, "HTTP %d: %s", result->status, detail);
	else
		(void)err_set(err, -EPROTO, "HTTP %d", result->status);
}
