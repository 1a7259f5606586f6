#include "core/peer_access.h"

#include <errno.h>
#include <grp.h>

static bool look_up(const char *name, gid_t *ret, struct err *warning)
{
	char buffer[16 << 10];
	struct group group;
	struct group *found = NULL;

	if (getgrnam_r(name, &group, buffer, sizeof(buffer), &found) == 0 && found) {
		*ret = found->gr_gid;
		return true;
	}
	(void)err_set(warning, -ENOENT, "the group %s of the control socket does not exist", name);
	return false;
}

void peer_access_init(struct peer_access *access, const struct config_control *control,
		      struct err *warning)
{
	warning->code = 0;
	access->has_group = look_up(control->group, &access->group, warning);
	access->has_read_group = look_up(control->read_group, &access->read_group, warning);
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
