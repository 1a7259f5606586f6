#include "node/orders.h"

#include <stdlib.h>

struct order {
	struct orders *orders;
	struct order *next;
	struct http_exchange *x;
	const struct download *download;
};

/* Whoever asked is gone, or has the answer. */
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

	/* Without memory to wait with, the answer comes early. */
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
		order->download = NULL; /* answered; it goes with its exchange */
		http_reply_json(order->x, 200, download_to_json(d));
	}
}
