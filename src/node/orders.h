/* orders.h - orders to downloads that are answered once they stand on disk: what was answered
 * survives a kill.
 */
#pragma once

#include "download/download.h"
#include "http/http_server.h"

struct orders {
	struct order *first;
};

/* Answer 200 with d's object: now, if its record says what it is, else as soon as it does. */
void orders_reply(struct orders *orders, struct http_exchange *x, const struct download *d);

/* d's record says what it is. */
void orders_recorded(struct orders *orders, const struct download *d);
