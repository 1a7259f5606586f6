/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify.h - what systemd is told: ready, reloading, stopping, a status line, and life.
 *
 * Without NOTIFY_SOCKET in the environment nothing is said. The watchdog is fed at half of its
 * time by a timer of the loop: a loop that hangs stops feeding it (sd_watchdog_enabled(3)).
 */
#pragma once

#include <uv.h>

struct notify {
	uv_timer_t watchdog;
	void (*closed)(void *owner);
	void *owner;
};

void notify_init(struct notify *n, uv_loop_t *loop);
void notify_close(struct notify *n, void (*closed)(void *owner), void *owner);

void notify_ready(void);
/* Between these two the old configuration may still be in force. */
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
