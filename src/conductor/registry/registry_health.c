/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_health.h"

#include <errno.h>
#include <string.h>

#define CALL_MS 5000 /* how long one call may take, with all its queries and a new connection */
#define PROBE_MS                                                                                   \
	2500 /* how long a call may take that only looks whether the database answers again: other \
		calls wait behind it */
#define ALONE_MS 1000 /* a database that did not answer is not asked for so long */

int registry_health_init(struct registry_health *h, struct err *err)
{
	memset(h, 0, sizeof(*h));
	return uv_mutex_init(&h->lock) == 0 ? 0 : err_set(err, -ENOMEM, "registry: out of memory");
}

void registry_health_release(struct registry_health *h)
{
	uv_mutex_destroy(&h->lock);
}

uint64_t registry_health_patience_ms(struct registry_health *h, enum registry_kind kind,
				     uint64_t now_ms, struct err *err)
{
	struct registry_outage outage;

	uv_mutex_lock(&h->lock);
	outage = h->outages[kind];
	uv_mutex_unlock(&h->lock);
	if (now_ms < outage.alone_until_ms) {
		(void)err_set(err, outage.why.code, "%s", outage.why.text);
		return 0;
	}
	return outage.is_on ? PROBE_MS : CALL_MS;
}

static void begin_outage(struct registry_outage *outage, const struct registry_ending *ending,
			 uint64_t now_ms)
{
	if (!outage->is_on)
		outage->since_ms = ending->began_ms;
	outage->is_on = true;
	outage->why = ending->err;
	if (ending->is_left_alone)
		outage->alone_until_ms = now_ms + ALONE_MS;
}

/* A database that could be written can be read, too. */
void registry_health_note(struct registry_health *h, const struct registry_ending *ending,
			  uint64_t now_ms)
{
	uv_mutex_lock(&h->lock);
	for (enum registry_kind kind = REGISTRY_READS; kind < N_REGISTRY_KINDS; kind++) {
		const bool is_meant = kind == ending->kind;

		if (ending->err.code < 0 && (is_meant || ending->is_of_both))
			begin_outage(&h->outages[kind], ending, now_ms);
		else if (ending->err.code == 0 && (is_meant || ending->kind == REGISTRY_WRITES))
			h->outages[kind] = (struct registry_outage){0};
	}
	uv_mutex_unlock(&h->lock);
}

bool registry_health_outage(struct registry_health *h, struct registry_outage *ret,
			    enum registry_kind *ret_kind)
{
	const struct registry_outage *reads = &h->outages[REGISTRY_READS];
	const struct registry_outage *writes = &h->outages[REGISTRY_WRITES];
	bool is_on;

	uv_mutex_lock(&h->lock);
	is_on = reads->is_on || writes->is_on;
	if (is_on) {
		*ret_kind = writes->is_on ? REGISTRY_WRITES : REGISTRY_READS;
		*ret = reads->is_on && (!writes->is_on || reads->since_ms < writes->since_ms)
			       ? *reads
			       : *writes;
	}
	uv_mutex_unlock(&h->lock);
	return is_on;
}
