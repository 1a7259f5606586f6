/* daemon.h - the router's daemon: what it is made of, and who is told what.
 *
 * All wiring is here and in the routes; the parts do not know each other.
 */
#pragma once

#include <signal.h>
#include <uv.h>

#include "core/config.h"
#include "core/http_client.h"
#include "core/http_server.h"
#include "core/notify.h"
#include "core/peer_access.h"
#include "download/claim.h"
#include "download/download_list.h"
#include "download/intake.h"
#include "download/repository.h"
#include "integrity/integrity.h"
#include "stewardd/events.h"
#include "stewardd/orders.h"
#include "stewardd/versions.h"

#define LISTENERS_MAX 8

struct daemon {
	uv_loop_t loop;
	const char *config_path;
	struct config *config;
	struct integrity integrity; /* as the first phase left it */
	uint64_t started_ms;

	struct peer_access access;
	struct repository *repository;
	struct http_client *client;
	struct intake intake;
	struct download_list *downloads;
	struct claims claims; /* images that routes are changing */
	struct versions versions;
	struct events events;
	struct orders orders;
	struct notify notify;
	struct http_server *control;
	struct http_server *shared[LISTENERS_MAX]; /* the node's repository, for others */
	size_t n_shared;
	uv_signal_t signals[3];
	bool stopping;
	unsigned jobs;    /* of the routes, on the thread pool */
	unsigned closing; /* parts of the present step of the end that are not closed yet */
	void (*next_step)(struct daemon *d);
};

/* Runs until SIGTERM or SIGINT. Takes config. Returns what the process exits with. */
int daemon_run(struct daemon *d, const char *config_path, struct config *config);

/* Load the configuration again. -EINVAL: nothing has changed, and err says why. */
int daemon_reload(struct daemon *d, struct err *err);

/* A route's job begins or ends: the daemon does not end in between. */
void daemon_job_begins(struct daemon *d);
void daemon_job_ends(struct daemon *d);
