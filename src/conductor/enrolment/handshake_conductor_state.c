/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/handshake_conductor_state.h"

static const char *const names[] = {
	[HANDSHAKE_CONDUCTOR_EXPECTING] = "expecting",
	[HANDSHAKE_CONDUCTOR_LOOKING_UP] = "looking-up",
	[HANDSHAKE_CONDUCTOR_CHALLENGED] = "challenged",
	[HANDSHAKE_CONDUCTOR_CREDITING] = "crediting",
	[HANDSHAKE_CONDUCTOR_ACCEPTED] = "accepted",
	[HANDSHAKE_CONDUCTOR_COMMITTING] = "committing",
	[HANDSHAKE_CONDUCTOR_ENROLLED] = "enrolled",
	[HANDSHAKE_CONDUCTOR_ENDED] = "ended",
};

#define BIT(state) (1u << (state))

static const unsigned moves[] = {
	[HANDSHAKE_CONDUCTOR_EXPECTING] = BIT(HANDSHAKE_CONDUCTOR_LOOKING_UP),
	[HANDSHAKE_CONDUCTOR_LOOKING_UP] = BIT(HANDSHAKE_CONDUCTOR_CHALLENGED),
	[HANDSHAKE_CONDUCTOR_CHALLENGED] =
		BIT(HANDSHAKE_CONDUCTOR_CREDITING) | BIT(HANDSHAKE_CONDUCTOR_ACCEPTED),
	[HANDSHAKE_CONDUCTOR_CREDITING] = BIT(HANDSHAKE_CONDUCTOR_ACCEPTED),
	[HANDSHAKE_CONDUCTOR_ACCEPTED] = BIT(HANDSHAKE_CONDUCTOR_COMMITTING),
	[HANDSHAKE_CONDUCTOR_COMMITTING] = BIT(HANDSHAKE_CONDUCTOR_ENROLLED),
	[HANDSHAKE_CONDUCTOR_ENROLLED] = 0,
	[HANDSHAKE_CONDUCTOR_ENDED] = 0,
};

const char *handshake_conductor_state_name(enum handshake_conductor_state state)
{
	return names[state];
}

bool handshake_conductor_state_is_end(enum handshake_conductor_state state)
{
	return state == HANDSHAKE_CONDUCTOR_ENROLLED || state == HANDSHAKE_CONDUCTOR_ENDED;
}

bool handshake_conductor_state_may_become(enum handshake_conductor_state from,
					  enum handshake_conductor_state to)
{
	if (to == HANDSHAKE_CONDUCTOR_ENDED)
		return !handshake_conductor_state_is_end(from);
	return moves[from] & BIT(to);
}
