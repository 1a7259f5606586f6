/* SPDX-License-Identifier: GPL-3.0-or-later */
/* own_keys.h - the keys of this conductor, to which secrets are sealed that wait for a node
 * (registry_secrets_store.h). They are in a file of its own, and never in the registry.
 */
#pragma once

#include "base/err.h"
#include "onboarding/sealing_keys.h"

/* Reads them from path, or makes them there (mode 0600). -EBADMSG: the file is damaged; the message
 * says what to do. Else the errors of reading and writing. */
int own_keys_provide(const char *path, struct sealing_keys *ret, struct err *err);
