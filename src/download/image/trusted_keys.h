/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trusted_keys.h - the keys whose manifests are believed.
 *
 * Read anew for each attempt, so that a key file put in place is used without a reload. One
 * that cannot be read is reported and does without; none at all is an error.
 */
#pragma once

#include <stddef.h>

#include "base/jws.h"
#include "base/settings.h"

struct trusted_keys {
	struct jws_key *keys; /* owned */
	size_t n;
};

/* warning gets the last file that could not be read (its code is then not 0). Fails only if no
 * key is left: err names the file, or says that none is configured. */
int trusted_keys_load(struct trusted_keys *ret, const struct config *config, struct err *warning,
		      struct err *err);
void trusted_keys_release(struct trusted_keys *keys);
