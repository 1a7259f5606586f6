/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_refusal.h - a value that libyang refused, told with its constraint; for config.c and what
 * it is made of.
 *
 * libyang names either the value or the constraint. The constraint is looked up in the model.
 */
#pragma once

#include <cjson/cJSON.h>
#include <libyang/libyang.h>

#define CONFIG_VALUE_SHOWN     80 /* characters */
#define CONFIG_CONSTRAINT_SIZE 256

/* libyang's last message. */
const char *config_refusal_words(const struct ly_ctx *context);

/* What a container, list or leaf-list must be in JSON. libyang's versions say it otherwise. */
const char *config_refusal_form(const struct lysc_node *schema);

/* What schema's values must be; where the model has no words for it, libyang's last message. */
void config_refusal_constraint(const struct ly_ctx *context, const struct lysc_node *schema,
			       char ret[CONFIG_CONSTRAINT_SIZE]);

/* A value of schema as a refusal shows it: without what may be a password. The caller frees it. */
char *config_refusal_shown(const struct lysc_node *schema, const cJSON *value);
