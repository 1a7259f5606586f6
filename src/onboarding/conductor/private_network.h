/* private_network.h - a network of one's own: a loopback interface, and nothing else. What listens
 * there is reached by nobody outside, not even by root's other programs.
 */
#pragma once

#include "core/err.h"

/* Leave for a new one; its loopback is up. Who is not root gets a user namespace with it, in which
 * it has its own user alone. Errors: those of unshare. */
int private_network_enter(struct err *err);

/* Are we in one already? Error: -ENOTUNIQ, another interface is there. */
int private_network_check(struct err *err);
