/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handshake_conductor_state.h - how far a handshake is, and which way it can go from there.
 */
#pragma once

#include <stdbool.h>

/*
 *	expecting ▶ looking-up ▶ challenged ┬▶ accepted (none, certificate) ──┐
 *	                                    └▶ crediting ▶ accepted           ▼
 *	                                                   enrolled ◀ committing
 *
 * and from each to ended.
 */
enum handshake_conductor_state {
	HANDSHAKE_CONDUCTOR_EXPECTING, /* hello */
	HANDSHAKE_CONDUCTOR_LOOKING_UP,
	HANDSHAKE_CONDUCTOR_CHALLENGED, /* proof is awaited */
	HANDSHAKE_CONDUCTOR_CREDITING,  /* attestation is awaited */
	HANDSHAKE_CONDUCTOR_ACCEPTED,   /* keys are awaited */
	HANDSHAKE_CONDUCTOR_COMMITTING,
	HANDSHAKE_CONDUCTOR_ENROLLED,
	HANDSHAKE_CONDUCTOR_ENDED,
};

const char *handshake_conductor_state_name(enum handshake_conductor_state state);

/* Enrolled, or ended without that. */
bool handshake_conductor_state_is_end(enum handshake_conductor_state state);
bool handshake_conductor_state_may_become(enum handshake_conductor_state from,
					  enum handshake_conductor_state to);
