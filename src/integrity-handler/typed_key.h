/* typed_key.h - a key that an operator gives on standard input: 32 bytes, or 64 hex digits and a
 * newline. On a terminal it is asked for, and not shown. */
#pragma once

#include "base/secret.h"

/* Into ret, made with secret_init(). -EBADMSG: what is expected. */
int typed_key_read(int fd, struct secret *ret, struct err *err);
