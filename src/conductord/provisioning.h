/* provisioning.h - a router that has connected is visited through its tunnel: initialized the first
 * time, by one conductor alone, and given its configuration whenever that has changed.
 *
 * A router that is not ready is called again (visit_rules). A registry that cannot be asked is
 * waited for, and so is the conductor that has claimed the initialization.
 *
 * Calling sequence: provisioning_new -> provisioning_of_key, provisioning_of_node ... ->
 * provisioning_close.
 */
#pragma once

struct conductor;
struct provisioning;

/* NULL = out of memory. */
struct provisioning *provisioning_new(struct conductor *c);
/* Its session is authenticated: if a visit waits for it, that goes on at once. fingerprint: as sshd
 * writes it, after "SHA256:". */
void provisioning_of_key(struct provisioning *v, const char *fingerprint);
/* Its router's configuration has changed. */
void provisioning_of_node(struct provisioning *v, const char *router, const char *node);
void provisioning_close(struct provisioning *v, void (*closed)(void *owner), void *owner);
