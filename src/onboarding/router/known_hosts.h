/* SPDX-License-Identifier: GPL-3.0-or-later */
/* known_hosts.h - the file from which ssh knows the host keys that a conductor may show. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* Write path atomically, unless it has this content already: [host]:port with each key. Errors:
 * -EINVAL (a host that ssh would read as a pattern or an option, a blob that is no key, no key at
 * all), and those of writing. */
int known_hosts_write(const char *path, const char *host, uint16_t port, const struct span *keys,
		      size_t n_keys, struct err *err);
