/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of a conductor, in steps: first who asks others, then who was asked.
 *
 *	1. who asks: port 930 and its handshakes, provisioning, which calls routers, rollouts,
 *	   fetching, the repository, the tunnels, the registration, the summaries
 *	2. the login keys, which handshakes write and provisioning looks up; the known
 *	   routers, which port 930 looks up
 *	3. the pool on which all of these ask the registry
 *	4. the registry's watch, to which the pool tells that a question is over
 *	5. the registry and memory
 */
#include <assert.h>
#include <stdlib.h>

#include "base/macros.h"
#include "conductord/conductor.h"
#include "conductord/last_resort.h"

#define END_MS 4500 /* from SIGTERM on; then the process ends, whatever hangs */

static void part_closed(void *owner)
{
	struct conductor *c = owner;

	assert(c->closing > 0);
	if (--c->closing == 0)
		c->next_step(c);
}

/* The step counts itself as one part, so that it is not over before all of its parts were told to
 * close. */
static void step_begins(struct conductor *c, void (*next_step)(struct conductor *c))
{
	c->closing = 1;
	c->next_step = next_step;
}

static void on_tunnels_closed(struct tunnels *t)
{
	part_closed(container_of(t, struct conductor, tunnels));
}

static void free_conductor(struct conductor *c)
{
	registry_close(c->registry);
	sealing_keys_release(&c->own_keys);
	config_free(c->config);
	tunnel_book_release(&c->tunnel_book);
	free(c->tunnels_directory);
	free(c->keys_path);
	free(c->known_path);
	c->closed(c->closed_owner);
}

static void close_registry_watch(struct conductor *c)
{
	step_begins(c, free_conductor);
	registry_watch_close(&c->registry_watch, part_closed, c);
}

static void close_pool(struct conductor *c)
{
	step_begins(c, close_registry_watch);
	if (c->registry_pool)
		work_pool_close(c->registry_pool, part_closed, c);
	else
		part_closed(c);
}

static void close_who_was_asked(struct conductor *c)
{
	step_begins(c, close_pool);
	c->closing += 0u + c->has_keys + c->has_known;
	if (c->has_keys)
		login_keys_close(&c->keys, part_closed, c);
	if (c->has_known)
		known_routers_close(&c->known, part_closed, c);
	part_closed(c);
}

static void close_who_asks(struct conductor *c)
{
	struct enrolment_service *enrolment = c->enrolment;
	struct provisioning *provisioning = c->provisioning;

	step_begins(c, close_who_was_asked);
	c->enrolment = NULL;
	c->provisioning = NULL;
	c->closing += 5u + (enrolment ? 1 : 0) + (provisioning ? 1 : 0) + (c->repository ? 1 : 0) +
		      c->has_tunnels;
	summary_watch_close(&c->summaries, part_closed, c);
	registration_close(&c->registration, part_closed, c);
	list_news_close(&c->list_news, part_closed, c);
	rollouts_close(&c->rollouts, part_closed, c);
	fetching_close(&c->fetching, part_closed, c);
	if (enrolment)
		enrolment_close(enrolment, part_closed, c);
	if (provisioning)
		provisioning_close(provisioning, part_closed, c);
	if (c->repository)
		http_server_close(c->repository, part_closed, c);
	if (c->has_tunnels)
		tunnels_close(&c->tunnels, on_tunnels_closed);
	part_closed(c);
}

void conductor_stop(struct node *n)
{
	struct conductor *c = conductor_of(n);

	last_resort_begin(END_MS);
	router_calls_stop(&c->calls);
	if (c->registry)
		registry_watch_stop(&c->registry_watch);
}

void conductor_close(struct node *n, void (*closed)(void *owner), void *owner)
{
	struct conductor *c = conductor_of(n);

	c->closed = closed;
	c->closed_owner = owner;
	if (c->was_started)
		close_who_asks(c);
	else
		closed(owner);
}
