/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_news.h"

#include <stdlib.h>
#include <string.h>

#include "conductord/rollout_order.h"
#include "node/events.h"
#include "node/metrics.h"

static const struct registry_rollout *find(const struct rollout_news *news,
					   const struct registry_rollout *row)
{
	for (size_t i = 0; i < news->n; i++)
		if (strcmp(news->rows[i].name, row->name) == 0 &&
		    news->rows[i].created_s == row->created_s)
			return &news->rows[i];
	return NULL;
}

static bool is_same(const struct registry_rollout *a, const struct registry_rollout *b)
{
	return strcmp(rollout_state_name(&a->head), rollout_state_name(&b->head)) == 0 &&
	       a->head.phase == b->head.phase && strcmp(a->holder, b->holder) == 0 &&
	       memcmp(a->counts, b->counts, sizeof(a->counts)) == 0;
}

static void tell(struct events *events, const struct registry_rollout *row)
{
	cJSON *json = rollout_order_show(row);

	events_publish(events, "rollout", json);
	cJSON_Delete(json);
}

void rollout_news_take(struct rollout_news *news, struct events *events,
		       struct registry_rollout *rows, size_t n)
{
	for (size_t i = 0; i < n && events_has_readers(events); i++) {
		const struct registry_rollout *before = find(news, &rows[i]);

		if (!before || !is_same(before, &rows[i]))
			tell(events, &rows[i]);
	}
	free(news->rows);
	news->rows = rows;
	news->n = n;
}

void rollout_news_release(struct rollout_news *news)
{
	free(news->rows);
	*news = (struct rollout_news){.rows = NULL};
}

static void write_states(const struct rollout_news *news, FILE *out)
{
	(void)fputs("# TYPE steward_rollouts gauge\n"
		    "# HELP steward_rollouts Rollouts of the registry, by state.\n",
		    out);
	for (const char *const *state = rollout_state_names; *state; state++) {
		unsigned count = 0;

		for (size_t i = 0; i < news->n; i++)
			count += strcmp(rollout_state_name(&news->rows[i].head), *state) == 0;
		(void)fprintf(out, "steward_rollouts{state=\"%s\"} %u\n", *state, count);
	}
}

static void write_members(const struct registry_rollout *row, FILE *out)
{
	for (int state = 0; state < N_ROLLOUT_MEMBER_STATES; state++) {
		(void)fputs("steward_rollout_members{", out);
		metrics_label(out, "rollout", row->name);
		(void)fputc(',', out);
		metrics_label(out, "version", row->version);
		(void)fprintf(out, ",state=\"%s\"} %u\n",
			      rollout_member_state_name((enum rollout_member_state)state),
			      row->counts[state]);
	}
}

void rollout_news_write_metrics(const struct rollout_news *news, FILE *out)
{
	unsigned left = ROLLOUT_NEWS_SERIES;

	write_states(news, out);
	(void)fputs(
		"# TYPE steward_rollout_members gauge\n"
		"# HELP steward_rollout_members Routers of rollouts that are not over, by state.\n",
		out);
	for (size_t i = 0; i < news->n && left > 0; i++) {
		if (news->rows[i].head.stage == ROLLOUT_OVER)
			continue;
		left--;
		write_members(&news->rows[i], out);
	}
}
