/* config_refusal.h - what libyang refused, told with path, value and constraint; for config.c
 * alone.
 *
 * libyang names the path, and either the value or the constraint. The missing one is looked up:
 * the value in the document, the constraint in the model.
 */
#pragma once

#include <cjson/cJSON.h>
#include <libyang/libyang.h>
#include <stdbool.h>

#include "base/err.h"

#define CONFIG_VALUE_SHOWN 80 /* characters */

/* Both fill err, with -EINVAL, from the context's last error. file names the document.
 *
 * While document was parsed: a value that its type does not allow. Was it taken out, so that the
 * rest can be parsed for what else is wrong? */
bool config_refusal_of_value(const struct ly_ctx *context, const char *file, cJSON *document,
			     struct err *err);

/* While it was validated as a whole: libyang's message says what does not fit together. */
int config_refusal_of_whole(const struct ly_ctx *context, const char *file, cJSON *document,
			    struct err *err);

/* A leaf's value as a refusal shows it: without what may be a password. The caller frees it. */
char *config_refusal_shown(const char *text, bool quoted);
