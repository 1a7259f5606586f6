/* SPDX-License-Identifier: GPL-3.0-or-later */
/* low_priority.h - work that others must not notice: nice 19, and the disk only when nobody else
 * wants it.
 */
#pragma once

/* Runs it on a thread of its own, and waits for that. A thread cannot take back its niceness, so
 * that it is not the caller's. Where the kernel refuses, or no thread can be made, it runs all the
 * same. */
void low_priority_run(void (*run)(void *owner), void *owner);
