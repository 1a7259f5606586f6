/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_words.h - "version V all phases 1,5% window mon-fri 22:00-05:00 Europe/Berlin" as the
 * JSON of POST /v1/rollouts. Pure; the daemon decides about the values.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* Adds what the words say to json. Returns 0, or -1 with message filled. now_s: UTC. */
int rollout_words_read(cJSON *json, int n, char *const *words, int64_t now_s, char *message,
		       size_t size);
