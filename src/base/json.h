/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json.h - parses JSON that somebody else wrote, and checks it before it is used.
 *
 * cJSON recurses while it parses, reads any number as a double, and takes the first of two
 * members of the same name. So depth, length, doubled names and numbers that are not whole are
 * refused here before anybody reads a value.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define JSON_DEPTH_MAX 16
#define JSON_INT_MAX   ((UINT64_C(1) << 53) - 1) /* what a double holds exactly */

/* Parse text of at most max bytes, all of it. Errors: -E2BIG, -EBADMSG, -ENOMEM. */
int json_parse(cJSON **ret, struct span text, size_t max, struct err *err);
/* The same, but with fractions and doubled names in it: to say what is wrong in text that
 * json_parse() refused. */
int json_parse_leniently(cJSON **ret, struct span text, size_t max, struct err *err);
void json_freep(cJSON **json);
/* cJSON does not wipe what it frees. This wipes all strings and then frees: for JSON that
 * contains a secret. Takes NULL. */
void json_wipe_free(cJSON *json);

/* Members that must be there and of that type; messages name the member. -EBADMSG. The string
 * is borrowed, and at least one and at most max characters long. */
int json_get_string(const cJSON *object, const char *name, size_t max, const char **ret,
		    struct err *err);
int json_get_uint(const cJSON *object, const char *name, uint64_t max, uint64_t *ret,
		  struct err *err);
int json_get_array(const cJSON *object, const char *name, const cJSON **ret, struct err *err);
/* The member may be missing; then *ret is unchanged. */
int json_get_optional_bool(const cJSON *object, const char *name, bool *ret, struct err *err);

/* Refuse members that are not in names (NULL-terminated). */
int json_refuse_others(const cJSON *object, const char *const *names, struct err *err);

/* A counter we wrote ourselves; 0 if it is not there or makes no sense. */
uint64_t json_counter(const cJSON *object, const char *name);
