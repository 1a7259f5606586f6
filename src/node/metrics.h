/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.h - GET /metrics, in OpenMetrics text. */
#pragma once

#include <stdio.h>

#include "http/http_server.h"

struct node;

/* Writes name="value"; the value may be text of a stranger. */
void metrics_label(FILE *out, const char *name, const char *value);

void metrics_reply(const struct node *d, struct http_exchange *x);
