/* pre_shared_secret.h - a router's 48 characters [A-Za-z0-9], from OpenSSL's private SP 800-90A
 * generator: 285 bits.
 */
#pragma once

#include "core/err.h"
#include "onboarding/token.h"

/* Zero-terminated. -EIO: the generator gives nothing. */
int pre_shared_secret_make(char ret[TOKEN_SECRET_SIZE + 1], struct err *err);
