/* SPDX-License-Identifier: GPL-3.0-or-later */
/* typed_key.h - reads a key from standard input: 32 bytes, or 64 hex digits and a newline. On a
 * terminal it asks for the key and does not show it.
 */
#pragma once

#include "base/secret.h"

/* Into ret, made with secret_init(). -EBADMSG: what is expected. */
int typed_key_read(int fd, struct secret *ret, struct err *err);
