/* SPDX-License-Identifier: GPL-3.0-or-later */
/* node.h - what both daemons are: a node that downloads, keeps and serves images, answers a
 * control socket, and begins by opening its encrypted directories.
 *
 * All connections between these parts are made here and in the routes; the parts do not know each
 * other. What a program adds is in its struct node_program, and in the struct that contains the
 * node.
 */
#pragma once

#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "base/notify.h"
#include "base/options.h"
#include "config/config.h"
#include "download/download_list.h"
#include "download/image/claim.h"
#include "download/image/repository.h"
#include "download/receive_buffers.h"
#include "http/http_client.h"
#include "http/http_server.h"
#include "http/peer_access.h"
#include "integrity/integrity.h"
#include "node/bandwidth.h"
#include "node/events.h"
#include "node/orders.h"
#include "node/versions.h"

#define LISTENERS_MAX 8

struct node;

/* What makes a node a stewardd or a conductord. The callbacks may be NULL. */
struct node_program {
	const char *name;
	enum config_role role;
	const struct http_route *routes; /* of the control socket, besides the node's own */
	size_t n_routes;
	const char *openapi; /* what describes them (openapi.h) */

	/* Others download from it what it has: it marks the images that it downloaded itself, and
	 * in offline-mode it offers only those that were imported. */
	bool tells_imported_apart;
	unsigned shared_connections_max; /* at once, to its repository */
	/* What other machines ask of the repository (share.h): true = it is, or will be, answered
	 * by the program; false = by the node. */
	bool (*serve_index)(struct http_exchange *x);
	bool (*serve_file)(struct http_exchange *x);
	/* Before an image of so many bytes is downloaded (struct download_home). */
	int (*make_room)(struct node *n, const struct download *download, uint64_t size,
			 struct image_names *ret_going, struct err *err);

	/* For --check: what else would a start refuse in this configuration? Starts nothing.
	 * ret_untold: what cannot be checked because it is not there (it may be in a locked
	 * directory); "" = nothing. */
	int (*check)(const struct config *config, char *ret_untold, size_t size, struct err *err);
	/* Called when the node's own parts run. If it fails, close() follows. */
	int (*start)(struct node *n, struct err *err);
	/* The node is going to end: everything that waits for others ends now, so that no job
	 * takes long. */
	void (*stopping)(struct node *n);
	/* Called when the control socket is closed, and before downloads are stopped. Calls
	 * closed(owner). */
	void (*close)(struct node *n, void (*closed)(void *owner), void *owner);
	/* Adds to a configuration that was just loaded. -ENOMEM. */
	int (*amend)(struct node *n, struct config *config, struct err *err);
	/* May new replace the configuration in force? */
	int (*check_reload)(const struct node *n, const struct config *new, struct err *err);
	/* It may: reads anew the files that it names. If this fails, nothing has changed, and the
	 * reload is refused. */
	int (*renew)(struct node *n, struct err *err);
	/* It has replaced it. */
	void (*configured)(struct node *n);
	/* Adds to GET /v1/status. */
	void (*add_status)(const struct node *n, cJSON *json);
	/* Adds to GET /metrics. */
	void (*write_metrics)(const struct node *n, FILE *out);
};

struct node {
	const struct node_program *program;
	uv_loop_t loop;
	const char *config_path;
	struct config *config;
	struct integrity integrity; /* as the first phase left it */
	uint64_t started_ms;

	struct peer_access access;
	struct repository *repository;
	struct http_client *client;
	struct receive_buffers buffers;
	struct bandwidth bandwidth;
	struct download_list *downloads;
	struct claims claims; /* images that routes are changing */
	struct versions versions;
	struct events events;
	struct orders orders;
	struct notify notify;
	struct http_route *routes; /* all of the control socket's */
	struct http_server *control;
	struct http_server *shared[LISTENERS_MAX]; /* the node's repository, for others */
	size_t n_shared;
	uv_signal_t signals[3];
	bool stopping;
	unsigned jobs;    /* of the routes, on the thread pool */
	unsigned closing; /* parts that the present step of the end has not closed yet */
	void (*next_step)(struct node *n);
};

/* Runs until SIGTERM or SIGINT. Takes config. Returns what the process exits with. */
int node_run(struct node *n, const struct node_program *program, const char *config_path,
	     struct config *config);

/* The whole of a daemon's main(): options, the blocking first phase of Configuration Integrity,
 * configuration, node_run(). */
int node_main(struct node *n, const struct node_program *program, const struct options *options);

/* Load the configuration again. -EINVAL: nothing has changed, and err says why. */
int node_reload(struct node *n, struct err *err);

/* A job of a route begins or ends: the daemon does not end while one runs. */
void node_job_begins(struct node *n);
void node_job_ends(struct node *n);
