/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bandwidth.h - which limit of bandwidth is in force: max-bandwidth, or by the hour another one of
 * bandwidth-schedule. It sets the rate of the receive buffers.
 *
 * base/hours.h decides, from the time alone. So it is asked when the next change is due, and at
 * least every 30 seconds, since the machine's clock may be set or its time zone changed meanwhile.
 * Without a schedule nothing is asked.
 *
 * Calling sequence: bandwidth_init -> bandwidth_configure ... -> bandwidth_close.
 */
#pragma once

#include <cjson/cJSON.h>
#include <uv.h>

#include "base/settings.h"
#include "download/receive_buffers.h"

struct bandwidth {
	uv_timer_t timer;
	struct receive_buffers *buffers;
	const struct config_software_update *config;
	int entry;           /* of the schedule, which is in force; -1 = none */
	uint64_t limit_bps;  /* in force; 0 = unlimited */
	int64_t until_s;     /* UTC: the next change; INT64_MAX = none */
	bool zone_is_absent; /* which has been told */
	void (*closed)(void *owner);
	void *owner;
};

/* -ENOENT, -EBADMSG: the time zone of a schedule cannot be read. */
int bandwidth_check(const struct config_software_update *config, struct err *err);

/* The rate of buffers is set from now on. config must stay until the next bandwidth_configure().
 * Where the time zone cannot be read, which is logged, that of the system is used. */
void bandwidth_init(struct bandwidth *b, uv_loop_t *loop, struct receive_buffers *buffers,
		    const struct config_software_update *config);
void bandwidth_configure(struct bandwidth *b, const struct config_software_update *config);
void bandwidth_close(struct bandwidth *b, void (*closed)(void *owner), void *owner);

/* What is in force, for GET /v1/status. */
cJSON *bandwidth_to_json(const struct bandwidth *b);
