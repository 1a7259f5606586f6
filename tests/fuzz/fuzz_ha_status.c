/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the HA peer says a download stands. */
#include "fuzz.h"

#include "download/ha_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	enum engine_peer peer = PEER_NOTHING;
	enum engine_state state = ENGINE_QUEUED;
	struct err err;
	int rc = ha_status_parse(span_of(bytes, size), "V1", &peer, &state, &err);

	HOLDS(rc == 0 || (peer == PEER_NOTHING && state == ENGINE_QUEUED));
	HOLDS(rc != 0 || engine_state_name(state));
	HOLDS(peer != PEER_HAS_IT || state == ENGINE_COMPLETE);
	return 0;
}
