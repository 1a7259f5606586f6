/* visits.h - a router that has connected is visited through its tunnel: initialized the first time,
 * by one conductor alone, and given its configuration whenever that has changed.
 *
 * A tunnel's forwarding comes a moment after its session; a visit waits for it, and is given up
 * when it does not come: the next session brings the next visit. A registry that cannot be asked
 * is waited for, and so is the conductor that has claimed the initialization.
 *
 * Calling sequence: visits_new -> visits_of_key, visits_of_node ... -> visits_close.
 */
#pragma once

struct conductor;
struct visits;

/* NULL = out of memory. */
struct visits *visits_new(struct conductor *c);
/* Its session is authenticated. fingerprint: as sshd writes it, after "SHA256:". */
void visits_of_key(struct visits *v, const char *fingerprint);
/* Its router's configuration has changed. */
void visits_of_node(struct visits *v, const char *router, const char *node);
void visits_close(struct visits *v, void (*closed)(void *owner), void *owner);
