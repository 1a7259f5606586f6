/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity_load.h - reads the conductor's certificate and key from the files that the configuration
 * names.
 */
#pragma once

#include "base/settings.h"
#include "conductor/enrolment/identity.h"

/* Read what the configuration names and check it as a token needs it: readable, RSA or ECDSA, the
 * key's own, signed by the CA or leading to it, not expired; and show it to a router in memory,
 * which must take it. Each has its own message. May block on the disk. */
int conductor_identity_load(struct conductor_identity *ret, const struct config_conductor *config,
			    struct err *err);
