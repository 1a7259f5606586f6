/* SPDX-License-Identifier: GPL-3.0-or-later */
/* private_network.h - a network namespace with a loopback interface and nothing else. No other
 * program reaches what listens there, not even root's.
 */
#pragma once

#include "base/err.h"

/* Enter a new one, with its loopback up. A process that is not root gets a user namespace with
 * it, in which only its own user exists. Errors: those of unshare. */
int private_network_enter(struct err *err);

/* Is this process in one already? Error: -ENOTUNIQ, there is another interface. */
int private_network_check(struct err *err);

/* Does the name localhost lead into it? Errors: -ENOENT it has no address, -EXDEV that of another
 * machine. No name server is reached from here, so this takes no time. */
int private_network_check_localhost(struct err *err);
