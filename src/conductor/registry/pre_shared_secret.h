/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pre_shared_secret.h - makes the pre-shared secret of a router: 48 characters [A-Za-z0-9] (285
 * bits), from OpenSSL's private SP 800-90A generator.
 */
#pragma once

#include "base/err.h"
#include "onboarding/token.h"

/* Zero-terminated. -EIO: the generator gives nothing. */
int pre_shared_secret_make(char ret[TOKEN_SECRET_SIZE + 1], struct err *err);
