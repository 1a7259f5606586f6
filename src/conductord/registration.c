#include "conductord/registration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/registry/registry_conductors.h"
#include "conductord/conductor.h"

#define AGAIN_MS 2000

void registration_init(struct registration *r, struct conductor *c)
{
	r->conductor = c;
	(void)uv_timer_init(&c->node.loop, &r->again);
}

static void run_register(struct work *work)
{
	struct registration *r = container_of(work, struct registration, work);
	const struct config *config = r->conductor->config;
	struct registry_conductor self = {.port = config->conductor.port, .seen_s = time(NULL)};
	char *key = base64_encode(span_of(r->key, sizeof(r->key)));

	(void)snprintf(self.name, sizeof(self.name), "%s", config->name);
	(void)snprintf(self.host, sizeof(self.host), "%s", config->conductor.address);
	(void)snprintf(self.ssh_host_keys, sizeof(self.ssh_host_keys), "%s\n", key ? key : "");
	free(key);
	memset(&r->err, 0, sizeof(r->err));
	(void)registry_conductor_register(r->conductor->registry, &self, &r->err);
}

static void begin(struct registration *r);

static void on_again(uv_timer_t *timer)
{
	begin(container_of(timer, struct registration, again));
}

static void tell_problem(struct registration *r)
{
	if (strcmp(r->problem, r->err.text) != 0)
		log_event(LOG_REGISTRY_PROBLEM, &(struct log_fields){.reason = r->err.text},
			  "this conductor is not registered yet: %s", r->err.text);
	(void)snprintf(r->problem, sizeof(r->problem), "%s", r->err.text);
}

static void registered(struct registration *r)
{
	const bool was_late = r->problem[0] != '\0';

	r->problem[0] = '\0';
	if (was_late)
		conductor_look_around(r->conductor);
}

static void on_registered(struct work *work)
{
	struct registration *r = container_of(work, struct registration, work);

	r->is_running = false;
	if (r->err.code < 0)
		tell_problem(r);
	else
		registered(r);
	if (r->is_stale)
		begin(r);
	else if (r->err.code < 0 && !r->closed)
		(void)uv_timer_start(&r->again, on_again, AGAIN_MS, 0);
	node_job_ends(&r->conductor->node);
}

static void begin(struct registration *r)
{
	struct node *n = &r->conductor->node;

	r->is_stale = r->is_running;
	if (r->is_running || n->stopping)
		return;
	r->is_running = true;
	memcpy(r->key, r->host_key, sizeof(r->key));
	node_job_begins(n);
	work_pool_submit(r->conductor->registry_pool, &n->loop, &r->work, run_register,
			 on_registered);
}

void registration_run(struct registration *r, const uint8_t host_key[SSH_KEY_ED25519_SIZE])
{
	memcpy(r->host_key, host_key, sizeof(r->host_key));
	begin(r);
}

static void on_closed(uv_handle_t *handle)
{
	struct registration *r = container_of((uv_timer_t *)handle, struct registration, again);

	r->closed(r->owner);
}

void registration_close(struct registration *r, void (*closed)(void *owner), void *owner)
{
	r->closed = closed;
	r->owner = owner;
	uv_close((uv_handle_t *)&r->again, on_closed);
}
