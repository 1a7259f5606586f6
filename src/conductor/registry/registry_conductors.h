/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_conductors.h - the conductors of the authority: what routers are told of each.
 *
 * The list has a version, which rises whenever what routers are told of changes: it is the time of
 * the change, or one more than before. So it also rises where an older copy of the database was put
 * in place, and all conductors of one registry mean the same list by it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "onboarding/conductor_list.h"
#include "onboarding/token.h"

#define REGISTRY_HOST_SIZE      256  /* a name or an address, with the final zero */
#define REGISTRY_HOST_KEYS_SIZE 8192 /* likewise */

struct registry_conductor {
	char name[TOKEN_NAME_SIZE];
	char host[REGISTRY_HOST_SIZE];
	uint16_t port;
	char ssh_host_keys[REGISTRY_HOST_KEYS_SIZE]; /* base64 of each blob, a line each */
	int64_t seen_s;                              /* when it last registered */
	uint64_t list_version;                       /* of the list that it stands in */
};

/* Register a conductor, in place of what was known of it, and of another name at the same host and
 * port: it has another name now. Its name has the same rules as a router's; host and keys are not
 * empty. */
int registry_conductor_register(struct registry *r, const struct registry_conductor *conductor,
				struct err *err);

/* From now on routers that are enrolled are not told of this conductor. -ENOENT. */
int registry_conductor_remove(struct registry *r, const char *name,
			      const struct registry_origin *origin, struct err *err);

/* How a conductor's own row stands. */
enum registry_standing {
	REGISTRY_STANDS,
	REGISTRY_IS_REMOVED, /* an operator has removed it: routers leave it */
	REGISTRY_IS_OTHERS,  /* a machine with another address or key has registered by its name */
	REGISTRY_IS_CONTESTED, /* another machine found that this one has done so */
};

#define REGISTRY_CONTESTED_S 300 /* so long after the other has said so last */

struct registry_own_row {
	enum registry_standing standing;
	char other[REGISTRY_HOST_SIZE + 32]; /* the other machine: "192.0.2.1 port 930" */
	int64_t moved_s; /* since when routers that know it alone cannot find it; 0 = they can */
};

/* self: as it was registered. Tells the other machine, too, if its name is claimed. */
int registry_conductor_check(struct registry *r, const struct registry_conductor *self,
			     int64_t now_s, struct registry_own_row *ret, struct err *err);

/* The list's version; 0 = nobody has registered yet. */
int registry_conductors_version(struct registry *r, uint64_t *ret, struct err *err);

/* What a router is told, whose tunnel has this port here, and the repository that one. No more than
 * a message holds. */
void registry_conductors_tell(const struct registry_conductor *rows, size_t n, uint16_t listen_port,
			      uint16_t repository_port, struct conductor_list *ret);

/* Lists conductors, ordered by name; freed with free(). */
int registry_conductors_list(struct registry *r, struct registry_conductor **ret, size_t *ret_n,
			     struct err *err);

/* The same for the registry's other parts, within their transaction. *ret is freed first. */
struct registry_session;
int registry_conductors_read(struct registry_session *session, struct registry_conductor **ret,
			     size_t *ret_n, struct err *err);
