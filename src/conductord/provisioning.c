#include "conductord/provisioning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/registry/registry_enrolment.h"
#include "conductor/registry/registry_initialization.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/tunnels/login_keys.h"
#include "conductord/router_call.h"
#include "conductord/visit_rules.h"

#define REGISTRY_RETRY_MS                                                                          \
	2000 /* how often the registry is asked again while it does not answer, or while another   \
		conductor has the claim */

/*
 *	finding what is due (worker) ▶ calling ▶ telling that it is initialized (worker)
 *	    ◀▶ waiting ◀──────────────────┘          ◀▶ waiting
 */
struct visit {
	struct provisioning *provisioning;
	struct visit *next;
	/* Whom to call: a key at first, and the node once it is found. */
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE]; /* "" = the visit began with the node's
							      name */
	char router[TOKEN_NAME_SIZE];                      /* "" = not found yet */
	char node[TOKEN_NAME_SIZE];
	struct registry_enrolment who; /* its enrolment, as the registry had it last */
	bool initializes;
	bool is_anothers; /* another conductor has the claim to initialize the router, so we check
			     whether it does */
	char *configuration; /* NULL = there is nothing to send */
	unsigned tries;      /* how often the registry was asked in vain */
	unsigned calls;      /* calls to the router that were in vain */
	char problem[512];   /* the last problem of this router that was logged */
	work_cb asks; /* the question to the registry that the worker asks, or will ask again */
	uv_timer_t timer;
	struct work work;
	struct err err;
};

struct provisioning {
	struct provisioning_options options;
	struct visit *first;
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

struct provisioning *provisioning_new(const struct provisioning_options *options)
{
	struct provisioning *v = calloc(1, sizeof(*v));

	if (v)
		v->options = *options;
	return v;
}

static void end_if_closed(struct provisioning *v)
{
	if (!v->closing || v->first)
		return;
	v->closed(v->owner);
	free(v);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct visit *visit = container_of((uv_timer_t *)handle, struct visit, timer);
	struct provisioning *v = visit->provisioning;
	struct visit **at = &v->first;

	while (*at != visit)
		at = &(*at)->next;
	*at = visit->next;
	free(visit->configuration);
	free(visit);
	end_if_closed(v);
}

static void end_visit(struct visit *visit)
{
	if (!uv_is_closing((uv_handle_t *)&visit->timer))
		uv_close((uv_handle_t *)&visit->timer, on_timer_closed);
}

static void tell_problem(const struct visit *visit, const char *reason)
{
	log_event(LOG_ROUTER_NOT_CONFIGURED, &(struct log_fields){.reason = reason},
		  "router %s, node %s could not be %s: %s", visit->router, visit->node,
		  visit->initializes ? "initialized" : "configured", reason);
}

/* If the registry does not answer, it is asked again later. That is logged once. */

static void on_asked(struct work *work);

static void ask_registry(struct visit *visit, work_cb asks)
{
	const struct provisioning_options *options = &visit->provisioning->options;

	visit->asks = asks;
	memset(&visit->err, 0, sizeof(visit->err));
	work_pool_submit(options->pool, options->loop, &visit->work, asks, on_asked);
}

static void on_ask_again(uv_timer_t *timer)
{
	struct visit *visit = container_of(timer, struct visit, timer);

	ask_registry(visit, visit->asks);
}

static void ask_later(struct visit *visit)
{
	if (visit->err.code < 0 && visit->tries++ == 0)
		tell_problem(visit, visit->err.text);
	(void)uv_timer_start(&visit->timer, on_ask_again, REGISTRY_RETRY_MS, 0);
}

/* On a worker: finds out which node it is, and what must be sent to it. */

/* The port says which node; the key says whether it is still enrolled with that. */
static int find_by_key(const struct visit *visit, struct registry_enrolment *ret, struct err *err)
{
	const struct provisioning_options *options = &visit->provisioning->options;
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	uint16_t port = 0;
	int rc = login_keys_find(options->keys, visit->fingerprint, &port, err);

	if (rc == -ENOENT) /* the registry's file is missing, which is no answer */
		return err_set(err, -EIO, "%s", err->text);
	if (rc == 0 && port == 0)
		rc = err_set(err, -ENOENT, "nobody's key");
	if (rc == 0)
		rc = registry_enrolment_at(options->registry, port, ret, err);
	if (rc < 0)
		return rc;
	authorized_key_fingerprint(ret->ssh_key, fingerprint);
	return strcmp(fingerprint, visit->fingerprint) == 0
		       ? 0
		       : err_set(err, -ENOENT, "enrolled by another key meanwhile");
}

/* -ENOENT: nobody is enrolled so. */
static int find_node(struct visit *visit, struct err *err)
{
	struct registry_enrolment *row = &visit->who;
	int rc = visit->router[0] ? registry_enrolment_of(visit->provisioning->options.registry,
							  visit->router, visit->node, row, err)
				  : find_by_key(visit, row, err);

	if (rc < 0)
		return rc;
	memcpy(visit->router, row->router, sizeof(visit->router));
	memcpy(visit->node, row->node, sizeof(visit->node));
	return 0;
}

static int find_what_is_due(struct visit *visit, struct err *err)
{
	struct registry *registry = visit->provisioning->options.registry;
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};
	enum registry_claim claim;
	int64_t revision;
	int rc = find_node(visit, err);

	free(visit->configuration);
	visit->configuration = NULL;
	visit->is_anothers = false;
	if (rc < 0)
		return rc;
	rc = registry_initialization_claim(registry, &visit->who, &origin, &claim, err);
	visit->is_anothers = rc == 0 && claim == REGISTRY_CLAIM_OTHERS;
	if (rc < 0 || visit->is_anothers)
		return rc;
	visit->initializes = claim == REGISTRY_CLAIM_OURS;
	rc = registry_router_get_configuration(registry, visit->router, &visit->configuration,
					       &revision, err);
	if (rc == 0 && revision == 0 && !visit->initializes) {
		free(visit->configuration);
		visit->configuration = NULL;
	}
	return rc;
}

static void run_find_due(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);

	(void)find_what_is_due(visit, &visit->err);
}

/* On the loop: calls the router, again and again until it answers. */

static void run_tell_initialized(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};

	(void)registry_initialization_finish(visit->provisioning->options.registry, &visit->who,
					     &origin, &visit->err);
}

static void end_initialized(struct visit *visit)
{
	if (visit->err.code == 0)
		log_event(LOG_ROUTER_INITIALIZED, NULL, "router %s, node %s is initialized",
			  visit->router, visit->node);
	end_visit(visit);
}

static void tell_answer(struct visit *visit, const struct router_answer *answer)
{
	char reason[sizeof(visit->problem)];

	(void)snprintf(reason, sizeof(reason), "HTTP %d: %.*s", answer->status,
		       (int)MIN(answer->body.size, 480), (const char *)answer->body.bytes);
	if (strcmp(reason, visit->problem) != 0)
		tell_problem(visit, reason);
	(void)snprintf(visit->problem, sizeof(visit->problem), "%s", reason);
}

/* The registry is asked once more what must be sent: the router may have been enrolled again in
 * the meantime, or have another configuration. */
static void call_again(struct visit *visit, const struct router_answer *answer)
{
	log_debug("router %s, node %s: %s", visit->router, visit->node,
		  answer->status == 0 ? answer->err.text : "it is not ready");
	if (answer->status >= 500)
		tell_answer(visit, answer);
	(void)uv_timer_start(&visit->timer, on_ask_again, visit_wait_ms(visit->calls), 0);
}

static void on_taken(struct visit *visit)
{
	if (visit->initializes) {
		visit->tries = 0;
		ask_registry(visit, run_tell_initialized);
	} else {
		end_visit(visit);
	}
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct visit *visit = owner;
	const enum visit_next next = visit_judge(answer->status, ++visit->calls);

	if (next == VISIT_REFUSED)
		tell_answer(visit, answer);
	if (next == VISIT_REFUSED || next == VISIT_LET_GO || visit->provisioning->closing)
		end_visit(visit);
	else if (next == VISIT_AGAIN)
		call_again(visit, answer);
	else
		on_taken(visit);
}

static void call_router(struct visit *visit)
{
	const struct router_ask ask = {
		.listen_port = visit->who.listen_port,
		.method = visit->initializes ? "POST" : "PUT",
		.path = visit->initializes ? "/v1/initialize" : "/v1/configuration",
		.body = visit->configuration,
		.timeout_ms = ROUTER_CALL_CHANGE_MS,
	};

	if (router_call_start(visit->provisioning->options.calls, &ask, on_answered, visit) < 0)
		end_visit(visit);
}

static void call_if_due(struct visit *visit)
{
	visit->tries = 0;
	if (visit->configuration)
		call_router(visit);
	else
		end_visit(visit);
}

/* -ENOENT: the node is not enrolled any more, so there is nothing to do. */
static void on_asked(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);

	if (visit->provisioning->closing)
		end_visit(visit);
	else if (visit->is_anothers || (visit->err.code < 0 && visit->err.code != -ENOENT))
		ask_later(visit);
	else if (visit->asks == run_find_due)
		call_if_due(visit);
	else
		end_initialized(visit);
}

/* Does this visit wait on the loop? Otherwise a worker may be changing it. */
static bool waits_to_find_due(const struct visit *visit)
{
	return visit->asks == run_find_due && uv_is_active((const uv_handle_t *)&visit->timer);
}

static bool is_of(const struct visit *visit, const char *fingerprint, const char *router,
		  const char *node)
{
	if (fingerprint[0])
		return strcmp(visit->fingerprint, fingerprint) == 0;
	return strcmp(visit->router, router) == 0 && strcmp(visit->node, node) == 0;
}

/* Finds a visit that still waits to find out what is due, so that it would do the same as a new
 * one. NULL = there is none. */
static struct visit *find_waiting(struct provisioning *v, const char *fingerprint,
				  const char *router, const char *node)
{
	for (struct visit *visit = v->first; visit; visit = visit->next)
		if (waits_to_find_due(visit) && is_of(visit, fingerprint, router, node))
			return visit;
	return NULL;
}

static void make_visit(struct provisioning *v, const char *fingerprint, const char *router,
		       const char *node)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (!visit)
		return;
	visit->provisioning = v;
	(void)snprintf(visit->fingerprint, sizeof(visit->fingerprint), "%s", fingerprint);
	(void)snprintf(visit->router, sizeof(visit->router), "%s", router);
	(void)snprintf(visit->node, sizeof(visit->node), "%s", node);
	(void)uv_timer_init(v->options.loop, &visit->timer);
	visit->next = v->first;
	v->first = visit;
	ask_registry(visit, run_find_due);
}

static void visit_soon(struct provisioning *v, const char *fingerprint, const char *router,
		       const char *node)
{
	struct visit *waiting = find_waiting(v, fingerprint, router, node);

	if (v->closing)
		return;
	if (!waiting) {
		make_visit(v, fingerprint, router, node);
		return;
	}
	waiting->calls = 0;
	(void)uv_timer_start(&waiting->timer, on_ask_again, 0, 0);
}

void provisioning_of_key(struct provisioning *v, const char *fingerprint)
{
	visit_soon(v, fingerprint, "", "");
}

void provisioning_of_node(struct provisioning *v, const char *router, const char *node)
{
	visit_soon(v, "", router, node);
}

void provisioning_close(struct provisioning *v, void (*closed)(void *owner), void *owner)
{
	struct visit *next;

	v->closing = true;
	v->closed = closed;
	v->owner = owner;
	for (struct visit *visit = v->first; visit; visit = next) {
		next = visit->next;
		if (uv_is_active((uv_handle_t *)&visit->timer))
			end_visit(visit);
	}
	end_if_closed(v);
}
