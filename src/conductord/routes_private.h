/* SPDX-License-Identifier: GPL-3.0-or-later */
/* routes_private.h - the handlers of conductord's routes. For routes.c only. */
#pragma once

#include "http/http_server.h"

struct err;
struct registry_job;

/* The answer of most of these: a router as it is. On a worker. */
int routes_show_router(struct registry_job *job, struct err *err);

void routes_get_fleet(struct http_exchange *x);
void routes_get_routers(struct http_exchange *x);
void routes_get_router(struct http_exchange *x);
void routes_put_router(struct http_exchange *x);
void routes_delete_router(struct http_exchange *x);
void routes_put_label(struct http_exchange *x);
void routes_delete_label(struct http_exchange *x);
void routes_get_node(struct http_exchange *x);
void routes_put_node(struct http_exchange *x);
void routes_delete_node(struct http_exchange *x);
void routes_reset_node(struct http_exchange *x);
void routes_get_configuration(struct http_exchange *x);
void routes_put_configuration(struct http_exchange *x);

void routes_router_downloads(struct http_exchange *x);
void routes_router_history(struct http_exchange *x);
void routes_router_watch(struct http_exchange *x);
void routes_router_pause(struct http_exchange *x);
void routes_router_resume(struct http_exchange *x);
void routes_router_cancel(struct http_exchange *x);
void routes_router_recovery(struct http_exchange *x);
void routes_router_policy(struct http_exchange *x);

void routes_get_rollouts(struct http_exchange *x);
void routes_get_rollout(struct http_exchange *x);
void routes_post_rollout(struct http_exchange *x);
void routes_pause_rollout(struct http_exchange *x);
void routes_resume_rollout(struct http_exchange *x);
void routes_approve_rollout(struct http_exchange *x);
void routes_cancel_rollout(struct http_exchange *x);

void routes_get_conductors(struct http_exchange *x);
void routes_delete_conductor(struct http_exchange *x);

void routes_post_token(struct http_exchange *x);
void routes_get_tokens(struct http_exchange *x);
void routes_delete_token(struct http_exchange *x);
void routes_get_enrolments(struct http_exchange *x);
void routes_get_audit(struct http_exchange *x);
void routes_reset_clock(struct http_exchange *x);
void routes_get_onboarding(struct http_exchange *x);
