/* SPDX-License-Identifier: GPL-3.0-or-later */
/* turn.h - one at a time on a machine: a process that unlocks, seals or destroys holds a lock on
 * the record directory, and from then on is a process that may see a key.
 */
#pragma once

#include "base/settings.h"
#include "integrity/failure.h"

/* Waits: the other is done in seconds. Makes the record directory, but nothing where a filesystem
 * is to be mounted over it. On failure *ret_fd is as it was, or a file that turn_end() closes. */
int turn_take(const struct config_integrity *config, int *ret_fd, struct failure *f);

/* For _cleanup_; -1 = was not taken. */
void turn_end(const int *fd);
