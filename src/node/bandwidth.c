/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/bandwidth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hours.h"
#include "base/log_events.h"
#include "base/macros.h"

#define ASK_AGAIN_MS 30000
#define TEXT_SIZE    40

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int bandwidth_check(const struct config_software_update *config, struct err *err)
{
	_cleanup_(zone_freep) struct zone *zone = NULL;
	int rc = 0;

	if (config->schedule.time_zone)
		rc = zone_load(&zone, config->schedule.time_zone, err);
	return rc < 0 ? err_wrap(err, "software-update/time-zone") : 0;
}

/* NULL = UTC. A daemon does not stay down for want of a time zone. */
static struct zone *load_zone(struct bandwidth *b)
{
	const char *name = b->config->schedule.time_zone;
	struct zone *zone = NULL;
	struct err why;
	int rc = zone_load(&zone, name, &why);

	if (rc < 0 && !b->zone_is_absent)
		log_event(LOG_CONFIGURATION_WARNING, &(struct log_fields){.reason = why.text},
			  "bandwidth-schedule: %s; %s is used instead", why.text,
			  name ? "the system's" : "UTC");
	b->zone_is_absent = rc < 0;
	if (rc < 0 && name)
		(void)zone_load(&zone, NULL, &why);
	return zone;
}

static const char *shown_limit(uint64_t bps, char ret[TEXT_SIZE])
{
	(void)snprintf(ret, TEXT_SIZE, bps ? "%" PRIu64 " bits/s" : "unlimited", bps);
	return ret;
}

/* As the clock on the wall shows it, and how far that is ahead of UTC. */
static const char *shown_until(const struct zone *zone, int64_t until_s, char ret[TEXT_SIZE])
{
	int32_t offset_s = zone_at(zone, until_s).offset_s;
	time_t local = until_s + offset_s;
	struct tm date = {0};
	size_t used = 0;

	if (until_s == INT64_MAX)
		return "for good";
	if (gmtime_r(&local, &date))
		used = strftime(ret, TEXT_SIZE, "until %Y-%m-%dT%H:%M:%S", &date);
	(void)snprintf(ret + used, TEXT_SIZE - used, "%c%02d:%02d", offset_s < 0 ? '-' : '+',
		       abs(offset_s) / 3600, abs(offset_s) / 60 % 60);
	return ret;
}

static const char *shown_entry(const struct bandwidth *b)
{
	return b->entry < 0 ? "max-bandwidth" : b->config->schedule.written[b->entry];
}

static void apply(struct bandwidth *b, int entry, uint64_t limit_bps)
{
	b->entry = entry;
	if (limit_bps == b->limit_bps)
		return;
	b->limit_bps = limit_bps;
	receive_buffers_set_rate(b->buffers, limit_bps);
}

static void on_timer(uv_timer_t *timer);

static void ask_again(struct bandwidth *b)
{
	int64_t wait_ms = ASK_AGAIN_MS;

	if (b->until_s < now_ms() / 1000 + ASK_AGAIN_MS / 1000)
		wait_ms = MAX(b->until_s * 1000 - now_ms(), 1);
	(void)uv_timer_start(&b->timer, on_timer, (uint64_t)wait_ms, 0);
}

/* is_new: the entries are others than before. */
static void ask(struct bandwidth *b, bool is_new)
{
	const struct config_bandwidth_schedule *schedule = &b->config->schedule;
	_cleanup_(zone_freep) struct zone *zone = NULL;
	struct hours_now now = {-1, INT64_MAX};
	char limit[TEXT_SIZE];
	char until[TEXT_SIZE];
	bool changes;

	if (schedule->n > 0) {
		zone = load_zone(b);
		now = hours_at(schedule->hours, schedule->n, zone, now_ms() / 1000);
	}
	changes = now.entry != b->entry || (is_new && schedule->n > 0);
	b->until_s = now.until_s;
	apply(b, now.entry,
	      now.entry < 0 ? b->config->max_bandwidth_bps
			    : schedule->max_bandwidth_bps[now.entry]);
	if (changes)
		log_event(LOG_BANDWIDTH_CHANGED, NULL, "bandwidth of downloads by %s: %s, %s",
			  shown_entry(b), shown_limit(b->limit_bps, limit),
			  shown_until(zone, b->until_s, until));
	if (schedule->n > 0)
		ask_again(b);
}

static void on_timer(uv_timer_t *timer)
{
	ask(container_of(timer, struct bandwidth, timer), false);
}

void bandwidth_init(struct bandwidth *b, uv_loop_t *loop, struct receive_buffers *buffers,
		    const struct config_software_update *config)
{
	(void)uv_timer_init(loop, &b->timer);
	b->buffers = buffers;
	b->entry = -1;
	b->limit_bps = 0;
	bandwidth_configure(b, config);
}

void bandwidth_configure(struct bandwidth *b, const struct config_software_update *config)
{
	(void)uv_timer_stop(&b->timer);
	b->config = config;
	b->zone_is_absent = false;
	ask(b, true);
}

static void on_closed(uv_handle_t *handle)
{
	struct bandwidth *b = container_of(handle, struct bandwidth, timer);

	b->closed(b->owner);
}

void bandwidth_close(struct bandwidth *b, void (*closed)(void *owner), void *owner)
{
	b->closed = closed;
	b->owner = owner;
	uv_close((uv_handle_t *)&b->timer, on_closed);
}

cJSON *bandwidth_to_json(const struct bandwidth *b)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "max-bandwidth", (double)b->limit_bps);
	cJSON_AddItemToObject(json, "schedule",
			      b->entry < 0 ? cJSON_CreateNull()
					   : cJSON_CreateString(shown_entry(b)));
	cJSON_AddItemToObject(json, "until",
			      b->until_s == INT64_MAX ? cJSON_CreateNull()
						      : cJSON_CreateNumber((double)b->until_s));
	return json;
}
