/* provisioning.h - calls routers that have connected, through their tunnels: one conductor
 * initializes a router the first time, and sends its configuration whenever that has changed.
 *
 * A router that is not ready is called again (visit_rules). If the registry cannot be asked, or
 * another conductor has claimed the initialization, the visit waits.
 *
 * Calling sequence: provisioning_new -> provisioning_of_key, provisioning_of_node ... ->
 * provisioning_close.
 */
#pragma once

#include <uv.h>

struct login_keys;
struct provisioning;
struct registry;
struct router_calls;
struct work_pool;

struct provisioning_options {
	uv_loop_t *loop;
	struct work_pool *pool; /* that asks the registry */
	struct registry *registry;
	struct login_keys *keys; /* say whose key it is */
	struct router_calls *calls;
};

/* NULL = out of memory. */
struct provisioning *provisioning_new(const struct provisioning_options *options);
/* A session with this key is authenticated: visit its router. A visit that waits for it goes on
 * at once. fingerprint: as sshd writes it after "SHA256:". */
void provisioning_of_key(struct provisioning *v, const char *fingerprint);
/* The configuration of this router has changed. */
void provisioning_of_node(struct provisioning *v, const char *router, const char *node);
void provisioning_close(struct provisioning *v, void (*closed)(void *owner), void *owner);
