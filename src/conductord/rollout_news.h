/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_news.h - what is told of the registry's rollouts, whoever drives them: an event "rollout"
 * for each that has changed, and a part of GET /metrics. On the loop.
 *
 * Calling sequence: rollout_news_take ... -> rollout_news_release.
 */
#pragma once

#include <stdio.h>

#include "conductor/registry/registry_rollouts.h"

struct events;

#define ROLLOUT_NEWS_SERIES 20 /* rollouts that are not over and whose members are counted */

/* The rollouts as they were read last. All zero: never yet. */
struct rollout_news {
	struct registry_rollout *rows; /* owned; NULL = none */
	size_t n;
};

/* Takes rows, which were allocated by malloc(). */
void rollout_news_take(struct rollout_news *news, struct events *events,
		       struct registry_rollout *rows, size_t n);
void rollout_news_release(struct rollout_news *news);

void rollout_news_write_metrics(const struct rollout_news *news, FILE *out);
