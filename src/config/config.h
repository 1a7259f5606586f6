/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.h - the configuration: modelled in YANG, checked by libyang, read here as a struct.
 *
 * Types, ranges, defaults and the words of a refusal come from packaging/yang/steward.yang,
 * which is compiled into the program. A struct config is read-only and whole: a reload loads a
 * second one and exchanges the pointer, so that an invalid file changes nothing.
 */
#pragma once

#include <stdio.h>

#include "base/err.h"
#include "base/settings.h"
#include "config/config_memory.h"

#define CONFIG_ROUTER_PATH       "/etc/steward/steward.json"
#define CONFIG_CONDUCTOR_PATH    "/etc/steward/conductor.json"
#define CONFIG_SECRETS_DIRECTORY "/etc/steward/secrets" /* as the model's default */

/* The configuration of this machine: a conductor's if only that exists. */
const char *config_default_path(void);

/* Load and check path, a configuration for role; a router's with router.json of its
 * secrets-directory merged over it if that is there. On failure *ret is untouched and err says
 * path, value and constraint. Errors: -ENOENT, -EACCES, -EINVAL (refused by the model), -ENOMEM. */
int config_load(struct config **ret, const char *path, enum config_role role, struct err *err);
/* The same; what err has no room for of all that is wrong goes to untold, a line each. */
int config_load_to_check(struct config **ret, const char *path, enum config_role role, FILE *untold,
			 struct err *err);

/* Loads what is needed before anything is unlocked: from path alone, without software-update and
 * high-availability, parts of which may be in router.json. Errors as above. */
int config_load_early(struct config **ret, const char *path, enum config_role role,
		      struct err *err);

/* Could this be (a part of) a router's configuration? json: the members of "steward:router".
 * -EINVAL as above. */
int config_check_router(const char *json, struct err *err);
/* May a conductor send this? It must fit over the file at path, in place of router.json, and name
 * only files with secrets that config_credentials.h allows. */
int config_check_router_over(const char *path, const char *json, struct err *err);

/* One more source, behind those that are there. -ENOMEM. */
int config_add_source(struct config *config, const char *name, enum source_kind kind,
		      const char *url, struct err *err);
