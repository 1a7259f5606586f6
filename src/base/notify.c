/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/macros.h"

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	(void)sd_notify(0, "WATCHDOG=1");
}

void notify_init(struct notify *n, uv_loop_t *loop)
{
	uint64_t limit_us = 0;

	(void)uv_timer_init(loop, &n->watchdog);
	uv_unref((uv_handle_t *)&n->watchdog);
	if (sd_watchdog_enabled(0, &limit_us) > 0)
		(void)uv_timer_start(&n->watchdog, on_watchdog, 0, MAX(limit_us / 2000, 1));
}

static void on_closed(uv_handle_t *handle)
{
	struct notify *n = container_of(handle, struct notify, watchdog);

	n->closed(n->owner);
}

void notify_close(struct notify *n, void (*closed)(void *owner), void *owner)
{
	n->closed = closed;
	n->owner = owner;
	uv_close((uv_handle_t *)&n->watchdog, on_closed);
}

void notify_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void notify_reloading(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
			 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void notify_status(const char *format, ...)
{
	char status[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(status, sizeof(status), format, arguments);
	va_end(arguments);
	(void)sd_notifyf(0, "STATUS=%s", status);
}
