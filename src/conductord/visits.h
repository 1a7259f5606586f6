/* visits.h - a router that has connected is visited through its tunnel: initialized the first time,
 * by one conductor alone, and given its configuration whenever that has changed.
 *
 * A router that is not ready is called again (visit_rules). A registry that cannot be asked is
 * waited for, and so is the conductor that has claimed the initialization.
 *
 * Calling sequence: visits_new -> visits_of_key, visits_of_node ... -> visits_close.
 */
#pragma once

struct conductor;
struct visits;

/* NULL = out of memory. */
struct visits *visits_new(struct conductor *c);
/* Its session is authenticated: if a visit waits for it, that goes on at once. fingerprint: as sshd
 * writes it, after "SHA256:". */
void visits_of_key(struct visits *v, const char *fingerprint);
/* Its router's configuration has changed. */
void visits_of_node(struct visits *v, const char *router, const char *node);
void visits_close(struct visits *v, void (*closed)(void *owner), void *owner);
