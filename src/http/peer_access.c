/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/peer_access.h"

#include <errno.h>
#include <grp.h>

static bool look_up(const char *name, gid_t *ret)
{
	char buffer[16 << 10];
	struct group group;
	struct group *found = NULL;

	if (getgrnam_r(name, &group, buffer, sizeof(buffer), &found) == 0 && found) {
		*ret = found->gr_gid;
		return true;
	}
	return false;
}

void peer_access_init(struct peer_access *access, const struct config_control *control,
		      struct err *warning)
{
	const char *both;

	access->has_group = look_up(control->group, &access->group);
	access->has_read_group = look_up(control->read_group, &access->read_group);
	both = access->has_group || access->has_read_group ? "" : control->read_group;
	warning->code = 0;
	if (!access->has_group || !access->has_read_group)
		(void)err_set(warning, -ENOENT,
			      "of the control socket's groups there is no %s%s%s: nobody is in it",
			      access->has_group ? control->read_group : control->group,
			      both[0] ? " and no " : "", both);
}

static bool is_member(const struct http_peer *peer, gid_t group)
{
	for (size_t i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == group)
			return true;
	return false;
}

bool peer_access_allows(const struct peer_access *access, const struct http_peer *peer,
			enum http_change change)
{
	if (!peer->is_local)
		return false;
	if (peer->uid == 0)
		return true;
	if (access->has_group && is_member(peer, access->group))
		return true;
	return change == HTTP_READS && access->has_read_group &&
	       is_member(peer, access->read_group);
}
