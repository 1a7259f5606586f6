/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/ha_status.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "download/image/manifest.h"

#define STATE_LENGTH_MAX 32

static enum engine_peer meaning_of(enum engine_state state)
{
	switch (state) {
	case ENGINE_QUEUED:
	case ENGINE_CHECKING:
	case ENGINE_DISCOVERING:
	case ENGINE_DOWNLOADING:
	case ENGINE_WAITING_RETRY:
	case ENGINE_FINISHING:
		return PEER_WORKING;
	case ENGINE_COMPLETE:
		return PEER_HAS_IT;
	case ENGINE_CANCELLED:
	case ENGINE_FAILED:
		return PEER_GAVE_UP;
	case ENGINE_WAITING_PEER:
	case ENGINE_PAUSED:
		break;
	}
	return PEER_NOTHING;
}

int ha_status_parse(struct span json, const char *version, enum engine_peer *ret,
		    enum engine_state *ret_state, struct err *err)
{
	_cleanup_(json_freep) cJSON *answer = NULL;
	const char *found;
	const char *name = "";
	enum engine_state state;
	int rc = json_parse(&answer, json, HA_STATUS_SIZE_MAX, err);

	if (rc == 0)
		rc = json_get_string(answer, "version", MANIFEST_NAME_SIZE - 1, &found, err);
	if (rc == 0 && strcmp(found, version) != 0)
		rc = err_set(err, -EBADMSG, "version: expected %s, found %s", version, found);
	if (rc == 0)
		rc = json_get_string(answer, "state", STATE_LENGTH_MAX, &name, err);
	if (rc != 0)
		return rc == -ENOMEM ? rc : -EBADMSG;
	if (!engine_state_from_name(name, &state))
		return err_set(err, -EBADMSG, "state: '%s' is none that is known", name);
	*ret_state = state;
	*ret = meaning_of(state);
	return 0;
}
