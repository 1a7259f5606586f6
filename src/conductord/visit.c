/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/visit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/work_pool.h"
#include "conductord/router_call.h"
#include "conductord/tunnel_book.h"
#include "conductord/visit_private.h"
#include "conductord/visit_rules.h"

#define REGISTRY_RETRY_MS 2000 /* while it cannot be asked, or another has the claim: for ever */

/*
 *	    ┌─────────◀ keeping its keys (worker) ◀ asking for its keys ◀┐
 *	    ▼                                                            │
 *	finding what is due (worker) ─▶ telling of conductors ──────────┤
 *	    ▲ ◀▶ waiting ◀──────┬────────────────┘                       ▼
 *	    └────── taken ◀─────┴──────────────────────────────────── sending
 *	                  telling that it is initialized (worker) ◀──────┘
 *	                      ◀▶ waiting
 */
static void on_timer_closed(uv_handle_t *handle)
{
	struct visit *visit = container_of((uv_timer_t *)handle, struct visit, timer);

	visit->ended(visit, visit->owner);
	free(visit->due.body);
	free(visit->taken);
	visit_forget_conductors(visit);
	free(visit->keys);
	free(visit);
}

void visit_end(struct visit *visit)
{
	if (!uv_is_closing((uv_handle_t *)&visit->timer))
		uv_close((uv_handle_t *)&visit->timer, on_timer_closed);
}

static void tell_problem(const struct visit *visit, const char *reason)
{
	log_event(LOG_ROUTER_NOT_CONFIGURED, &(struct log_fields){.reason = reason},
		  "router %s, node %s could not be %s: %s", visit->router, visit->node,
		  visit->due.initializes ? "initialized" : "configured", reason);
}

/* Once the registry has said who it is. */
static void tell_twice(struct visit *visit)
{
	log_event(LOG_ROUTER_TWICE, NULL,
		  "router %s, node %s: %d tunnels with its key in %d s, each in the place of one "
		  "that stood: was the machine copied? reset the node, and give each machine a "
		  "node and a token of its own",
		  visit->router, visit->node, TUNNEL_BOOK_TAKEN + 1, TUNNEL_BOOK_TAKEN_S);
	visit->is_twice = false;
}

/* If the registry does not answer, it is asked again later. That is logged once. */

static void on_asked(struct work *work);

static void ask_registry(struct visit *visit, work_cb asks)
{
	const struct visit_parts *parts = &visit->parts;

	visit->asks = asks;
	memset(&visit->err, 0, sizeof(visit->err));
	work_pool_submit(parts->pool, parts->loop, &visit->work, asks, on_asked);
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

/* On the loop: calls the router, again and again until it answers. */

static void end_initialized(struct visit *visit)
{
	if (visit->err.code == 0)
		log_event(LOG_ROUTER_INITIALIZED, NULL, "router %s, node %s is initialized",
			  visit->router, visit->node);
	visit_end(visit);
}

void visit_tell_answer(struct visit *visit, const struct router_answer *answer)
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
void visit_call_again(struct visit *visit, const struct router_answer *answer)
{
	log_debug("router %s, node %s: %s", visit->router, visit->node,
		  answer->status == 0 ? answer->err.text : "it is not ready");
	if (answer->status >= 500)
		visit_tell_answer(visit, answer);
	(void)uv_timer_start(&visit->timer, on_ask_again, visit_wait_ms(visit->calls), 0);
}

/* Two visits of a node, of two conductors perhaps, may overlap, and who read the registry first may
 * be heard last. So whoever was heard reads again, and sends what has changed. */
static void on_taken(struct visit *visit)
{
	visit->tries = 0;
	visit->calls = 0;
	if (visit->due.initializes) {
		ask_registry(visit, visit_run_tell_initialized);
		return;
	}
	free(visit->taken);
	visit->taken = visit->due.body;
	visit->due.body = NULL;
	ask_registry(visit, visit_run_find_due);
}

static void on_answered(void *owner, const struct router_answer *answer)
{
	struct visit *visit = owner;
	const enum visit_next next = visit_judge(answer->status, ++visit->calls);

	if (next == VISIT_REFUSED)
		visit_tell_answer(visit, answer);
	if (next == VISIT_REFUSED || next == VISIT_LET_GO || visit->closing)
		visit_end(visit);
	else if (next == VISIT_AGAIN)
		visit_call_again(visit, answer);
	else
		on_taken(visit);
}

static void ask_again_what_is_due(struct visit *visit)
{
	visit->has_asked_keys = true;
	ask_registry(visit, visit_run_find_due);
}

/* 404: it does not know what that is. */
static void take_keys(struct visit *visit, const struct router_answer *answer)
{
	free(visit->keys);
	visit->keys = NULL;
	visit->has_no_keys = answer->status == 404;
	if (!visit->has_no_keys) {
		visit->keys = strndup((const char *)answer->body.bytes, answer->body.size);
		if (!visit->keys)
			visit_end(visit);
		else
			ask_registry(visit, visit_run_keep_keys);
		return;
	}
	ask_again_what_is_due(visit);
}

static void on_keys_answered(void *owner, const struct router_answer *answer)
{
	struct visit *visit = owner;
	const enum visit_next next = visit_judge(answer->status, ++visit->calls);

	if (visit->closing || next == VISIT_LET_GO)
		visit_end(visit);
	else if (next == VISIT_AGAIN)
		visit_call_again(visit, answer);
	else
		take_keys(visit, answer);
}

static void call_for_keys(struct visit *visit)
{
	const struct router_ask ask = {
		.listen_port = visit->who.listen_port,
		.method = "GET",
		.path = "/v1/sealing-keys",
		.timeout_ms = ROUTER_CALL_CHANGE_MS, /* it may have to make them first */
	};

	if (router_call_start(visit->parts.calls, &ask, on_keys_answered, visit) < 0)
		visit_end(visit);
}

static void call_router(struct visit *visit)
{
	const struct router_ask ask = {
		.listen_port = visit->who.listen_port,
		.method = visit->due.initializes ? "POST" : "PUT",
		.path = visit->due.initializes ? "/v1/initialize" : "/v1/configuration",
		.body = visit->due.body,
		.timeout_ms = ROUTER_CALL_CHANGE_MS,
	};

	if (router_call_start(visit->parts.calls, &ask, on_answered, visit) < 0)
		visit_end(visit);
}

static bool has_taken(const struct visit *visit, const char *body)
{
	return visit->taken && strcmp(visit->taken, body) == 0;
}

static void call_if_due(struct visit *visit)
{
	visit->tries = 0;
	if (visit->due.asks_keys)
		call_for_keys(visit);
	else if (visit->due.body && !has_taken(visit, visit->due.body))
		call_router(visit);
	else
		visit_end(visit);
}

/* What it said are no keys: it goes on as one that has none. */
static void end_keeping(struct visit *visit)
{
	if (visit->err.code == -EBADMSG) {
		tell_problem(visit, visit->err.text);
		visit->has_no_keys = true;
	}
	ask_again_what_is_due(visit);
}

static void end_refused(struct visit *visit)
{
	tell_problem(visit, visit->err.text);
	visit_end(visit);
}

static bool must_wait(const struct visit *visit)
{
	const int code = visit->err.code;

	return visit->due.waits ||
	       (code < 0 && code != -ENOENT && code != -ENOKEY && code != -EBADMSG);
}

/* By what the registry has said. -ENOENT: the node is not enrolled any more, so there is nothing to
 * do. */
void visit_proceed(struct visit *visit)
{
	if (visit->closing)
		visit_end(visit);
	else if (must_wait(visit))
		ask_later(visit);
	else if (visit->asks == visit_run_keep_keys)
		end_keeping(visit);
	else if (visit->err.code == -ENOKEY)
		end_refused(visit);
	else if (visit->asks == visit_run_find_due)
		call_if_due(visit);
	else
		end_initialized(visit);
}

static void on_asked(struct work *work)
{
	struct visit *visit = container_of(work, struct visit, work);

	if (visit->is_twice && visit->router[0])
		tell_twice(visit);
	if (!visit->closing && visit->asks == visit_run_find_due &&
	    visit_has_conductors_to_tell(visit))
		visit_tell_conductors(visit);
	else
		visit_proceed(visit);
}

/* Does this visit wait on the loop? Otherwise a worker may be changing it. */
static bool waits_to_find_due(const struct visit *visit)
{
	return visit->asks == visit_run_find_due &&
	       uv_is_active((const uv_handle_t *)&visit->timer);
}

static bool is_of(const struct visit *visit, const char *fingerprint, const char *router,
		  const char *node)
{
	if (fingerprint[0])
		return strcmp(visit->fingerprint, fingerprint) == 0;
	return strcmp(visit->router, router) == 0 && strcmp(visit->node, node) == 0;
}

bool visit_waits_for(const struct visit *visit, const char *fingerprint, const char *router,
		     const char *node)
{
	return waits_to_find_due(visit) && is_of(visit, fingerprint, router, node);
}

void visit_go_on(struct visit *visit)
{
	visit->calls = 0;
	(void)uv_timer_start(&visit->timer, on_ask_again, 0, 0);
}

void visit_stop(struct visit *visit)
{
	visit->closing = true;
	if (uv_is_active((uv_handle_t *)&visit->timer))
		visit_end(visit);
}

struct visit *visit_begin(const struct visit_parts *parts, const char *fingerprint,
			  const char *router, const char *node,
			  void (*ended)(struct visit *visit, void *owner), void *owner)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (!visit)
		return NULL;
	visit->parts = *parts;
	visit->ended = ended;
	visit->owner = owner;
	(void)snprintf(visit->fingerprint, sizeof(visit->fingerprint), "%s", fingerprint);
	(void)snprintf(visit->router, sizeof(visit->router), "%s", router);
	(void)snprintf(visit->node, sizeof(visit->node), "%s", node);
	(void)uv_timer_init(parts->loop, &visit->timer);
	ask_registry(visit, visit_run_find_due);
	return visit;
}
