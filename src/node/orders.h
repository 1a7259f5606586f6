/* SPDX-License-Identifier: GPL-3.0-or-later */
/* orders.h - commands to downloads that are answered only when their result is on disk, so that
 * it survives a kill.
 */
#pragma once

#include "download/download.h"
#include "http/http_server.h"

struct orders {
	struct order *first;
};

/* Answer 200 with d's object: now, if its record on disk is up to date, else as soon as it is. */
void orders_reply(struct orders *orders, struct http_exchange *x, const struct download *d);

/* The record of d on disk is up to date. */
void orders_recorded(struct orders *orders, const struct download *d);
