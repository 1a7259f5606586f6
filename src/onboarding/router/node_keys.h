/* SPDX-License-Identifier: GPL-3.0-or-later */
/* node_keys.h - the keys of this node, to which conductors seal secrets for it (sealing_keys.h).
 *
 * They are made when they are first asked for. The private halves are in a file of the encrypted
 * secrets-directory, and nowhere else.
 */
#pragma once

#include "base/err.h"
#include "onboarding/sealing_keys.h"

#define NODE_KEYS_FILE "sealing-keys"

/* directory: the secrets. Released by the caller. Errors: those of kept files, and -EBADMSG: the
 * file is damaged. */
int node_keys_provide(const char *directory, struct sealing_keys *ret, struct err *err);
