/* SPDX-License-Identifier: GPL-3.0-or-later */
/* zone.h - a time zone: how far its clocks are ahead of UTC at any moment.
 *
 * The C library knows one zone in a process, named by an environment variable that no thread may
 * change while others run. So this reads the same files, /usr/share/zoneinfo (RFC 9636, version 2
 * and later); a unit test holds it to the C library. What is read does not change any more: who
 * wants to see that the machine's zone was changed loads it again.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/span.h"
#include "base/zone_rule.h"

struct zone;

/* The zone of that IANA name, such as Europe/Berlin. NULL: the system's, as other programs on it
 * see it: the variable TZ, or /etc/localtime, or UTC. -ENOENT: there is no such zone on this
 * machine; -EBADMSG: its file is none. Free it with zone_free(). */
int zone_load(struct zone **ret, const char *name, struct err *err);

/* The same from what stands in a file. */
int zone_parse(struct zone **ret, struct span bytes, struct err *err);

void zone_free(struct zone *zone);
void zone_freep(struct zone **zone);

/* zone NULL = UTC. */
struct zone_span zone_at(const struct zone *zone, int64_t utc_s);
