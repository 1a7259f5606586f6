/* manifest_payload.h - what a manifest says, without asking who signed it.
 *
 * For files that were verified when they were put where they are (a key that is no longer
 * trusted takes no image away that is there), and for those who make a manifest.
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"
#include "download/image/manifest.h"

/* As manifest_parse(), past the signature. */
int manifest_read_payload(struct manifest *ret, const cJSON *payload, const char *version,
			  struct err *err);
int manifest_read_unverified(struct manifest *ret, struct span jws, const char *version,
			     struct err *err);

/* Set digest from the other members. -ENOMEM. */
int manifest_set_digest(struct manifest *manifest, struct err *err);
