/* SPDX-License-Identifier: GPL-3.0-or-later */
/* login_keys_write.h - for login_keys: what is new of the keys goes into the file, then into the
 * table; the keys that go are noted as removed. Called by one thread at a time, which has the turn.
 * After a failure is_written is false, and all keys must be read and written once more.
 */
#pragma once

#include "conductor/tunnels/login_keys.h"

/* The order in which news has its keys. */
int login_keys_by_port(const void *a, const void *b);

int login_keys_write_changes(struct login_keys *k, const struct registry_key_news *news,
			     struct err *err);
/* news has all keys. Errors: -EINVAL, ports that cannot be; those of the file. */
int login_keys_write_all(struct login_keys *k, const struct registry_key_news *news,
			 struct err *err);
