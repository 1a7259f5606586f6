/* metrics.h - GET /metrics, in OpenMetrics text. */
#pragma once

#include "core/http_server.h"

struct node;

void metrics_reply(const struct node *d, struct http_exchange *x);
