/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tunnels of a conductor, and the repository at their end. */
#include <stdio.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "conductor/tunnels/tunnel_host.h"
#include "conductord/conductor.h"
#include "node/routes.h"

static void on_repository_closed(void *owner)
{
	(void)owner;
}

static void on_listening(struct tunnels_request *request, int fd)
{
	struct conductor *c = container_of(request, struct conductor, listening);
	struct http_listener listener = routes_shared_listener(&c->node);
	struct err err;

	if (fd < 0)
		return; /* the helper has ended; ready() is called again when there is a new one */
	if (c->closed) {
		(void)close(fd);
		return;
	}
	/* All connections come from sshd. The limits of its session bound how many a router may
	 * have. */
	listener.counted = HTTP_TOGETHER;
	if (http_server_listen_fd(&c->repository, &c->node.loop, &listener, fd, &err) < 0) {
		log_event(LOG_TUNNELS_LOST, &(struct log_fields){.reason = err.text},
			  "the repository cannot be served in the tunnels: %s", err.text);
		(void)close(fd);
	}
}

static void on_tunnels_ready(void *owner, const struct host_keys *host_keys)
{
	struct conductor *c = owner;

	registration_run(&c->registration, host_keys);
	if (c->enrolment)
		enrolment_ssh_ready(c->enrolment);
	tunnels_listen(&c->tunnels, &c->listening, REPOSITORY_PORT, on_listening);
}

static void on_tunnels_lost(void *owner, const char *reason)
{
	struct conductor *c = owner;

	(void)reason; /* tunnels.c has logged the reason */
	tunnel_book_clear(&c->tunnel_book);
	if (c->enrolment)
		enrolment_ssh_lost(c->enrolment);
	if (c->repository)
		http_server_close(c->repository, on_repository_closed, c);
	c->repository = NULL;
}

static void on_authenticated(void *owner, uint32_t id, const char *fingerprint, enum ssh_kex kex)
{
	struct conductor *c = owner;
	const int64_t now_s = (int64_t)(uv_now(&c->node.loop) / 1000);
	const bool is_twice = tunnel_book_add(&c->tunnel_book, id, fingerprint, kex, now_s);

	if (c->enrolment && enrolment_ssh_authenticated(c->enrolment, id))
		known_routers_news(&c->known);
	if (c->provisioning)
		provisioning_of_key(c->provisioning, fingerprint, is_twice);
}

static void on_session_ended(void *owner, uint32_t id)
{
	struct conductor *c = owner;

	tunnel_book_remove(&c->tunnel_book, id);
	if (c->enrolment)
		enrolment_ssh_finished(c->enrolment, id);
}

/* A conductor whose OpenSSH has none of the configured key exchanges does not start, since no
 * router could connect to it. Without a configured list, sshd uses all that the system has.
 */
static int choose_kex(const struct config *config, struct ssh_kex_order *ret, struct err *err)
{
	const struct config_post_quantum *wanted = &config->conductor.post_quantum;
	char kex[SSH_KEX_ALGORITHMS_SIZE];
	ssh_kex_names names;
	int rc;

	*ret = ssh_kex_order_of(wanted->key_exchange, wanted->n_key_exchange);
	if (wanted->n_key_exchange == 0)
		return 0;
	rc = ssh_kex_ask(&names, err);
	return rc < 0 ? rc : ssh_kex_algorithms(ret, names, kex, err);
}

int conductor_start_tunnels(struct conductor *c, struct err *err)
{
	static const char *argv[8];
	struct tunnels_options options = {
		.ready = on_tunnels_ready,
		.lost = on_tunnels_lost,
		.authenticated = on_authenticated,
		.ended = on_session_ended,
		.owner = c,
	};
	int rc = choose_kex(c->node.config, &options.kex_order, err);

	if (rc < 0)
		return rc;
	if (asprintf(&c->tunnels_directory, "%s/tunnels", c->node.config->state_directory) < 0 ||
	    asprintf(&c->keys_path, "%s/authorized_keys", c->node.config->state_directory) < 0 ||
	    asprintf(&c->known_path, "%s/known_routers", c->node.config->state_directory) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (access(TUNNEL_HOST_SOCKET, F_OK) == 0) {
		options.socket = TUNNEL_HOST_SOCKET;
	} else {
		argv[0] = "/proc/self/exe";
		argv[1] = "--tunnels";
		argv[2] = "--tunnels-directory";
		argv[3] = c->tunnels_directory;
		argv[4] = "--authorized-keys";
		argv[5] = c->keys_path;
		options.argv = argv;
	}
	tunnels_start(&c->tunnels, &c->node.loop, &options);
	c->has_tunnels = true;
	return 0;
}
