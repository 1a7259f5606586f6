/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_keys.h - keys in the place of those that are missing or refused, so that what else is
 * wrong in an entry is found; for config_sift.c alone.
 */
#pragma once

#include <cjson/cJSON.h>
#include <libyang/libyang.h>

#define CONFIG_KEY_FORMS  5 /* that a key may have; a list has at most three keys */
#define CONFIG_KEYS_TRIES (CONFIG_KEY_FORMS * CONFIG_KEY_FORMS * CONFIG_KEY_FORMS)

/* forms: below CONFIG_KEYS_TRIES, which form each key has. position: other keys for each. The
 * caller deletes what it gets. */
cJSON *config_keys_of_ours(const struct lysc_node *list, unsigned forms, unsigned position);
