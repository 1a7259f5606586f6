/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/orders.h"

#include <stdlib.h>

struct order {
	struct orders *orders;
	struct order *next;
	struct http_exchange *x;
	const struct download *download;
};

/* The client that asked is gone, or has its answer. */
static void on_gone(void *kept)
{
	struct order *order = kept;
	struct order **at = &order->orders->first;

	while (*at != order)
		at = &(*at)->next;
	*at = order->next;
	free(order);
}

void orders_reply(struct orders *orders, struct http_exchange *x, const struct download *d)
{
	struct order *order = download_is_recorded(d) ? NULL : calloc(1, sizeof(*order));

	/* Without memory for an order that waits, the answer is sent before the download is on
	 * disk. */
	if (!order) {
		http_reply_json(x, 200, download_to_json(d));
		return;
	}
	*order = (struct order){
		.orders = orders,
		.next = orders->first,
		.x = x,
		.download = d,
	};
	orders->first = order;
	http_exchange_keep(x, order, on_gone);
}

void orders_recorded(struct orders *orders, const struct download *d)
{
	struct order *next;

	for (struct order *order = orders->first; order; order = next) {
		next = order->next;
		if (order->download != d)
			continue;
		order->download = NULL; /* it is answered; its memory is freed with its exchange */
		http_reply_json(order->x, 200, download_to_json(d));
	}
}
