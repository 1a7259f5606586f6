/* SPDX-License-Identifier: GPL-3.0-or-later */
/* integrity.h - Configuration Integrity for the programs: they open no network socket before
 * integrity_unlock() has succeeded.
 *
 * It enables on a first boot, completes or undoes what a power cut interrupted, and unlocks. It
 * logs what it found and did, but not an event: the caller shows that (emergency.h).
 *
 * A lock on the record directory allows one call at a time on a machine.
 */
#pragma once

#include <stdbool.h>

#include "base/settings.h"
#include "integrity/failure.h"
#include "integrity/unlock_check.h"

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

/* The same by a configuration that is still being checked. Where it does not pass nothing was
 * opened or changed: -ECANCELED. It may not have been asked where this fails for another reason. */
int integrity_unlock_checked(const struct config_integrity *config,
			     const struct unlock_check *check, struct integrity *ret,
			     struct failure *f);

/* What boot_decide() says of what was found, done. Whoever asks has the turn (turn.h). */
int integrity_act(const struct config_integrity *config, const struct findings *found,
		  struct integrity *ret, struct failure *f);
