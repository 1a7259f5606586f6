/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity_key.h - the conductor's private key, from where the configuration says it is.
 */
#pragma once

#include "base/err.h"
#include "base/jws.h"
#include "base/settings.h"

/* A file, or what a URI names (store_key.h). Where the file is encrypted, and where the URI's store
 * asks for a PIN, by the first line of the file that the configuration names. Messages
 * begin with the leaf's name: "private-key". The file's errors; -EINVAL: the passphrase is missing
 * or wrong; -EINVAL: there is no key in it that signs
 * tokens (token_signature.h). */
int identity_key_load(struct jws_key *ret, const struct config_conductor *config, struct err *err);
