/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ha_status.h - reads the peer's answer to GET /v1/downloads/{version}: how its download stands.
 *
 * Pure. An answer that cannot be right is -EBADMSG and says nothing about the peer.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"
#include "download/engine/engine.h"

#define HA_STATUS_SIZE_MAX (64u << 10) /* bytes; 32 sources, each with a reason, are half of it */

/* *ret_state is the state that the peer names. waiting-peer counts as PEER_NOTHING: else two
 * nodes that both believe to be second would wait for each other for ever. */
int ha_status_parse(struct span json, const char *version, enum engine_peer *ret,
		    enum engine_state *ret_state, struct err *err);
