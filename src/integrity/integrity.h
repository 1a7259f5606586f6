/* integrity.h - Configuration Integrity as the programs see it: before anything of theirs opens a
 * network socket, integrity_unlock() has succeeded.
 *
 * It enables on a first boot, finishes or undoes what a power cut left half made, and unlocks.
 * What it found and did is logged; an event is not, that is the caller's (emergency.h).
 *
 * One call at a time on a machine: a lock on the record directory sees to it.
 */
#pragma once

#include <stdbool.h>

#include "base/settings.h"
#include "integrity/failure.h"

struct findings;

enum integrity_state {
	INTEGRITY_OFF,         /* not enabled, or no directory is configured */
	INTEGRITY_UNSUPPORTED, /* cannot take part: reason */
	INTEGRITY_UNLOCKED,
};

struct integrity {
	enum integrity_state state;
	char reason[ERR_TEXT_SIZE]; /* of OFF and UNSUPPORTED */
};

const char *integrity_state_name(enum integrity_state state);

/* Returns 0, or a negative errno for an integrity event, with f filled. */
int integrity_unlock(const struct config_integrity *config, struct integrity *ret,
		     struct failure *f);

/* What boot_decide() says of what was found, done. Whoever asks has the turn (turn.h). */
int integrity_act(const struct config_integrity *config, const struct findings *found,
		  struct integrity *ret, struct failure *f);
