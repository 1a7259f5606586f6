/* SPDX-License-Identifier: GPL-3.0-or-later */
/* versions.h - which versions the sources have, or would fetch for us, as last asked. */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "download/catalog.h"
#include "http/http_server.h"

struct versions {
	struct catalog catalog;
	struct source_list list;
	unsigned awaited; /* sources that have not answered yet */
	cJSON *result;    /* of the last time; NULL = never asked */
	struct versions_waiter *waiters;
};

void versions_init(struct versions *v, struct http_client *client, uv_loop_t *loop);
void versions_release(struct versions *v);

/* Reply to x with what the sources have: as last known, or asked now. */
void versions_reply(struct versions *v, struct http_exchange *x, const struct config *config,
		    bool refresh);
