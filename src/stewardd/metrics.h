/* metrics.h - GET /metrics, in OpenMetrics text. */
#pragma once

#include "core/http_server.h"

struct daemon;

void metrics_reply(const struct daemon *d, struct http_exchange *x);
