/* ha_status.h - how a download stands at the HA peer, as GET /v1/downloads/{version} told it.
 *
 * Pure. Whatever cannot be believed is -EBADMSG and says nothing about the peer.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "download/engine/engine.h"

#define HA_STATUS_SIZE_MAX (64u << 10) /* bytes; 32 sources, each with a reason, are half of it */

/* *ret_state is set too: what the peer calls it. waiting-peer is PEER_NOTHING: two nodes that both
 * believe to be the second must not wait for one another for ever. */
int ha_status_parse(struct span json, const char *version, enum engine_peer *ret,
		    enum engine_state *ret_state, struct err *err);
