/* SPDX-License-Identifier: GPL-3.0-or-later */
/* peer_access.h - who may read and who may change, by the user and groups of the process at
 * the other end of a unix socket.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/settings.h"
#include "http/http_server.h"

struct peer_access {
	bool has_group; /* the group exists */
	bool has_read_group;
	gid_t group;
	gid_t read_group;
};

/* Look the groups up. warning gets a line if one does not exist (its code is then not 0): then
 * only root and the other group remain. */
void peer_access_init(struct peer_access *access, const struct config_control *control,
		      struct err *warning);

/* Pure. Root may do everything; a peer that may change may also read. A peer that is not on a
 * unix socket may do nothing. */
bool peer_access_allows(const struct peer_access *access, const struct http_peer *peer,
			enum http_change change);
