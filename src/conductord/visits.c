#include "conductord/visits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conductord/conductor.h"
#include "conductord/router_call.h"
#include "core/log_events.h"
#include "core/macros.h"
#include "onboarding/conductor/registry_enrolment.h"
#include "onboarding/conductor/registry_initialization.h"
#include "onboarding/conductor/registry_routers.h"

#define RETRY_MS          500
#define TRIES_MAX         60
#define REGISTRY_RETRY_MS 2000 /* while it cannot be asked, or another has the claim: for ever */

/*
 *	preparing (worker) ▶ calling ▶ finishing (worker)
 *	    ◀▶ waiting ◀────────┘          ◀▶ waiting
 */
struct visit {
	struct visits *visits;
	struct visit *next;
	/* Who: a key, or all nodes of a router. One node a visit, the others get visits of their
	 * own. */
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
	char router[TOKEN_NAME_SIZE];
	char node[TOKEN_NAME_SIZE];
	uint16_t listen_port;
	bool initializes;
	bool is_anothers;    /* a conductor has the claim to initialize it: does it do so? */
	char *configuration; /* NULL = nobody is to be visited */
	unsigned tries;      /* of the registry */
	unsigned calls;      /* that the router was not ready for */
	work_cb asks;        /* the registry: what the worker does, or will do again */
	uv_timer_t timer;
	struct work work;
	struct err err;
};

struct visits {
	struct conductor *conductor;
	struct visit *first;
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

struct visits *visits_new(struct conductor *c)
{
	struct visits *v = calloc(1, sizeof(*v));

	if (v)
		v->conductor = c;
	return v;
}

static void end_if_closed(struct visits *v)
{
	if (!v->closing || v->first)
		return;
	v->closed(v->owner);
	free(v);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct visit *visit = container_of((uv_timer_t *)handle, struct visit, timer);
	struct visits *v = visit->visits;
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

/* What is asked of a registry that is away for a while is asked again, and told of once. */

static void on_asked(struct work *work);

static void ask(struct visit *visit, work_cb asks)
{
	visit->asks = asks;
	memset(&visit->err, 0, sizeof(visit->err));
	work_submit(&visit->visits->conductor->node.loop, &visit->work, asks, on_asked);
}

static void on_ask_again(uv_timer_t *timer)
{
	struct visit *visit = container_of(timer, struct visit, timer);

	ask(visit, visit->asks);
}

static void ask_later(struct visit *visit)
{
	if (visit->err.code < 0 && visit->tries++ == 0)
		tell_problem(visit, visit->err.text);
	(void)uv_timer_start(&visit->timer, on_ask_again, REGISTRY_RETRY_MS, 0);
}

/* On a worker: who is it, and what is due? */

static bool is_meant(const struct visit *visit, const struct registry_enrolment *row)
{
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];

	if (!visit->fingerprint[0])
		return strcmp(row->router, visit->router) == 0 &&
		       strcmp(row->node, visit->node) == 0;
	authorized_key_fingerprint(row->ssh_key, fingerprint);
	return strcmp(fingerprint, visit->fingerprint) == 0;
}

static int find_node(struct visit *visit, bool *ret_found, struct err *err)
{
	struct registry_enrolment *rows = NULL;
	size_t n = 0;
	int rc = registry_enrolments_list(visit->visits->conductor->registry,
					  visit->fingerprint[0] ? NULL : visit->router, &rows, &n,
					  err);

	*ret_found = false;
	for (size_t i = 0; rc == 0 && i < n && !*ret_found; i++) {
		if (!is_meant(visit, &rows[i]))
			continue;
		memcpy(visit->router, rows[i].router, sizeof(visit->router));
		memcpy(visit->node, rows[i].node, sizeof(visit->node));
		visit->listen_port = rows[i].listen_port;
		*ret_found = true;
	}
	free(rows);
	return rc;
}

static int prepare(struct visit *visit, struct err *err)
{
	struct registry *registry = visit->visits->conductor->registry;
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};
	enum registry_claim claim;
	int64_t revision;
	bool found;
	int rc = find_node(visit, &found, err);

	free(visit->configuration);
	visit->configuration = NULL;
	if (rc < 0 || !found)
		return rc;
	rc = registry_initialization_claim(registry, visit->router, visit->node, &origin, &claim,
					   err);
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

static void run_prepare(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);

	(void)prepare(visit, &visit->err);
}

/* On the loop: there, until it answers. */

static void run_finish(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);
	const struct registry_origin origin = {.address = "visit", .time_s = time(NULL)};

	(void)registry_initialization_finish(visit->visits->conductor->registry, visit->router,
					     visit->node, &origin, &visit->err);
}

static void finished(struct visit *visit)
{
	if (visit->err.code == 0)
		log_event(LOG_ROUTER_INITIALIZED, NULL, "router %s, node %s is initialized",
			  visit->router, visit->node);
	end_visit(visit);
}

/* Its tunnel is not up yet; or it is, and the router itself has not heard of it. */
static bool is_not_ready(const struct router_answer *answer)
{
	return answer->status == 0 || answer->status == 409;
}

/* What is due then the registry says anew: it may have been enrolled again meanwhile, or have got
 * another configuration. */
static void on_not_ready(struct visit *visit, const struct router_answer *answer)
{
	log_debug("router %s, node %s: %s", visit->router, visit->node,
		  answer->status == 0 ? answer->err.text : "it does not know yet");
	if (!visit->visits->closing && ++visit->calls < TRIES_MAX)
		(void)uv_timer_start(&visit->timer, on_ask_again, RETRY_MS, 0);
	else
		end_visit(visit);
}

static void on_refused(struct visit *visit, const struct router_answer *answer)
{
	char reason[256];

	(void)snprintf(reason, sizeof(reason), "HTTP %d: %.*s", answer->status,
		       (int)MIN(answer->body.size, 200), (const char *)answer->body.bytes);
	tell_problem(visit, reason);
	end_visit(visit);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct visit *visit = owner;

	if (is_not_ready(answer)) {
		on_not_ready(visit, answer);
	} else if (answer->status >= 300) {
		on_refused(visit, answer);
	} else if (visit->initializes && !visit->visits->closing) {
		visit->tries = 0;
		ask(visit, run_finish);
	} else {
		end_visit(visit);
	}
}

static void call(struct visit *visit)
{
	const struct router_ask ask = {
		.listen_port = visit->listen_port,
		.method = visit->initializes ? "POST" : "PUT",
		.path = visit->initializes ? "/v1/initialize" : "/v1/configuration",
		.body = visit->configuration,
		.timeout_ms = ROUTER_CALL_CHANGE_MS,
	};

	if (router_call_start(visit->visits->conductor, &ask, on_answered, visit) < 0)
		end_visit(visit);
}

static void prepared(struct visit *visit)
{
	visit->tries = 0;
	if (visit->configuration)
		call(visit);
	else
		end_visit(visit);
}

/* -ENOENT: what was to be done went with the enrolment. */
static void on_asked(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);

	if (visit->visits->closing)
		end_visit(visit);
	else if (visit->is_anothers || (visit->err.code < 0 && visit->err.code != -ENOENT))
		ask_later(visit);
	else if (visit->asks == run_prepare)
		prepared(visit);
	else
		finished(visit);
}

/* It will ask what we would. */
static bool is_waiting_to_prepare(struct visits *v, const char *fingerprint, const char *router,
				  const char *node)
{
	for (const struct visit *visit = v->first; visit; visit = visit->next)
		if (visit->asks == run_prepare &&
		    uv_is_active((const uv_handle_t *)&visit->timer) &&
		    strcmp(visit->fingerprint, fingerprint) == 0 &&
		    (fingerprint[0] ||
		     (strcmp(visit->router, router) == 0 && strcmp(visit->node, node) == 0)))
			return true;
	return false;
}

static void begin(struct visits *v, const char *fingerprint, const char *router, const char *node)
{
	struct visit *visit = NULL;

	if (!v->closing && !is_waiting_to_prepare(v, fingerprint, router, node))
		visit = calloc(1, sizeof(*visit));
	if (!visit)
		return;
	visit->visits = v;
	(void)snprintf(visit->fingerprint, sizeof(visit->fingerprint), "%s", fingerprint);
	(void)snprintf(visit->router, sizeof(visit->router), "%s", router);
	(void)snprintf(visit->node, sizeof(visit->node), "%s", node);
	(void)uv_timer_init(&v->conductor->node.loop, &visit->timer);
	visit->next = v->first;
	v->first = visit;
	ask(visit, run_prepare);
}

void visits_of_key(struct visits *v, const char *fingerprint)
{
	begin(v, fingerprint, "", "");
}

void visits_of_node(struct visits *v, const char *router, const char *node)
{
	begin(v, "", router, node);
}

void visits_close(struct visits *v, void (*closed)(void *owner), void *owner)
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
