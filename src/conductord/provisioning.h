/* SPDX-License-Identifier: GPL-3.0-or-later */
/* provisioning.h - calls routers that have connected, through their tunnels: one conductor
 * initializes a router the first time, and sends its configuration whenever that has changed.
 *
 * Calling sequence: provisioning_new -> provisioning_of_key, provisioning_of_node ... ->
 * provisioning_close.
 */
#pragma once

#include "conductord/visit.h"

struct provisioning;

/* NULL = out of memory. */
struct provisioning *provisioning_new(const struct visit_parts *parts);
/* A session with this key is authenticated: visit its router. A visit that waits for it goes on
 * at once. fingerprint: as sshd writes it after "SHA256:". is_twice: two machines seem to have the
 * key, which is told of with the router's name. */
void provisioning_of_key(struct provisioning *v, const char *fingerprint, bool is_twice);
/* The configuration of this router has changed. */
void provisioning_of_node(struct provisioning *v, const char *router, const char *node);
void provisioning_close(struct provisioning *v, void (*closed)(void *owner), void *owner);
