/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/provisioning.h"

#include <stdbool.h>
#include <stdlib.h>

struct provisioning {
	struct visit_parts parts;
	struct visit *first;
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

struct provisioning *provisioning_new(const struct visit_parts *parts)
{
	struct provisioning *v = calloc(1, sizeof(*v));

	if (v)
		v->parts = *parts;
	return v;
}

static void end_if_closed(struct provisioning *v)
{
	if (!v->closing || v->first)
		return;
	v->closed(v->owner);
	free(v);
}

static void on_ended(struct visit *visit, void *owner)
{
	struct provisioning *v = owner;
	struct visit **at = &v->first;

	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
	end_if_closed(v);
}

/* Finds a visit that still waits to find out what is due, so that it would do the same as a new
 * one. NULL = there is none. */
static struct visit *find_waiting(struct provisioning *v, const char *fingerprint,
				  const char *router, const char *node)
{
	for (struct visit *visit = v->first; visit; visit = visit->next)
		if (visit_waits_for(visit, fingerprint, router, node))
			return visit;
	return NULL;
}

/* NULL = it is closing, or there is no memory. */
static struct visit *visit_soon(struct provisioning *v, const char *fingerprint, const char *router,
				const char *node)
{
	struct visit *visit = find_waiting(v, fingerprint, router, node);

	if (v->closing)
		return NULL;
	if (visit) {
		visit_go_on(visit);
		return visit;
	}
	visit = visit_begin(&v->parts, fingerprint, router, node, on_ended, v);
	if (!visit)
		return NULL;
	visit->next = v->first;
	v->first = visit;
	return visit;
}

void provisioning_of_key(struct provisioning *v, const char *fingerprint, bool is_twice)
{
	struct visit *visit = visit_soon(v, fingerprint, "", "");

	if (visit && is_twice)
		visit->is_twice = true;
}

void provisioning_of_node(struct provisioning *v, const char *router, const char *node)
{
	(void)visit_soon(v, "", router, node);
}

void provisioning_close(struct provisioning *v, void (*closed)(void *owner), void *owner)
{
	struct visit *next;

	v->closing = true;
	v->closed = closed;
	v->owner = owner;
	for (struct visit *visit = v->first; visit; visit = next) {
		next = visit->next;
		visit_stop(visit);
	}
	end_if_closed(v);
}
