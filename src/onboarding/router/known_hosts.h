/* known_hosts.h - the host keys that a conductor may show, for ssh.
 */
#pragma once

#include <stdint.h>

#include "core/err.h"
#include "core/span.h"

/* Write path atomically, where it is not so already: [host]:port with each key. Errors: -EINVAL (a
 * host that ssh would read as a pattern or an option, a blob that is no key, none at all), those of
 * writing. */
int known_hosts_write(const char *path, const char *host, uint16_t port, const struct span *keys,
		      size_t n_keys, struct err *err);
