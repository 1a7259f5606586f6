/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unsealing.h - opens the secrets of a configuration that a conductor sends: they are sealed to
 * this node's keys (docs/onboarding.md).
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"

/* The answer to GET /v1/sealing-keys: the public halves. secrets_directory: where the keys are, or
 * will be. */
int unsealing_tell_keys(const char *secrets_directory, cJSON **ret, struct err *err);

/* Puts each value that the member "sealed" has into its place, and takes that member away. Without
 * one nothing is done: an older conductor sends none. router: the name of this one, at its
 * conductors. -EINVAL: a value does not open, is of no place, or is missing. */
int unsealing_open(const char *secrets_directory, const char *router, cJSON *configuration,
		   struct err *err);
