/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a download does because time has passed. */
#include "base/macros.h"
#include "download/download_private.h"

#define WAKE_MS_MAX  60000u /* libuv's timers stand still during suspend */
#define TICK_MS      1000u
#define SAVE_MS      2000u
#define SAVE_IDLE_MS 60000u /* where nothing but time goes by */

static void on_wake(uv_timer_t *timer)
{
	struct download *d = container_of(timer, struct download, wake);

	if (download_clock_ms() - d->saved_ms >= SAVE_IDLE_MS)
		download_want(d, DISK_TASK_SAVE);
	download_tell(d, EVENT_TICK);
}

static void measure_rate(struct download *d)
{
	uint64_t bytes = d->engine.bytes_fetched - d->bytes_at_tick;

	d->bytes_at_tick = d->engine.bytes_fetched;
	d->rate = d->rate == 0 ? bytes : (3 * d->rate + bytes) / 4;
}

static void watch_transfers(struct download *d)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++)
		if (d->engine.slots[i].used)
			transfer_tick(&d->transfers[i]);
}

static void keep_on_disk(struct download *d, uint64_t now)
{
	if (d->n_unsynced > 0 && now - d->unsynced_since_ms >= UNSYNCED_MS_MAX)
		download_want(d, DISK_TASK_SYNC);
	if (now - d->saved_ms >= SAVE_MS)
		download_want(d, DISK_TASK_SAVE);
}

static void on_tick(uv_timer_t *timer)
{
	struct download *d = container_of(timer, struct download, tick);
	uint64_t now = download_clock_ms();

	download_peer_ask(d);
	if (d->engine.state == ENGINE_WAITING_PEER)
		return;
	measure_rate(d);
	download_history_tick(d);
	watch_transfers(d);
	keep_on_disk(d, now);
	d->home->progressed(d);
}

void download_arm_timers(struct download *d)
{
	uint64_t wake = engine_next_wake(&d->engine);
	uint64_t now = download_clock_ms();

	if (d->closing || wake == ENGINE_NEVER)
		(void)uv_timer_stop(&d->wake);
	else
		(void)uv_timer_start(&d->wake, on_wake,
				     wake > now ? MIN(wake - now, WAKE_MS_MAX) : 0, 0);
	if (d->closing ||
	    (d->engine.state != ENGINE_DOWNLOADING && d->engine.state != ENGINE_WAITING_PEER))
		(void)uv_timer_stop(&d->tick);
	else if (!uv_is_active((uv_handle_t *)&d->tick))
		(void)uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
}
