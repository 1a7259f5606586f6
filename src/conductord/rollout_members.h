/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_members.h - which routers a selector means, in the order of a rollout. Asks the registry,
 * on a worker.
 *
 *	{"all": true}   {"routers": ["a", "b"]}   {"labels": {"site": "emea", "ring": "1"}}
 */
#pragma once

#include <cjson/cJSON.h>

#include "conductor/registry/registry_rollouts.h"

/* Routers of which no node is enrolled are left out, or refused where they are named. spread: the
 * name of a label, "" = none. *ret is freed with free(). ret_text: the selector as people read it.
 * -EINVAL: it is none; -ENOENT: it means nobody. */
int rollout_members_select(struct registry *r, const cJSON *selector, const char *spread,
			   const char *rollout, registry_member_name **ret, uint32_t *ret_n,
			   char ret_text[REGISTRY_ROLLOUT_TEXT_SIZE], struct err *err);
