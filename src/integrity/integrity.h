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

#include "core/config.h"
#include "core/secret.h"
#include "integrity/failure.h"

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

/* What the operator asks for by hand. -EALREADY: is enabled; -ENOENT: is not. Zeroize also destroys
 * what a configuration that is switched off has left, and pins that no configuration names: who
 * asks for it has been told which (findings.h). */
/* migrate: directories that are full are moved in (migrate.h). */
int integrity_enable(const struct config_integrity *config, bool migrate, struct failure *f);
int integrity_reseal(const struct config_integrity *config, struct failure *f);
/* With the FEK that recovery.json holds wrapped: opened, and sealed to the TPM that is here now.
 * -EALREADY: it opens without. */
int integrity_recover(const struct config_integrity *config, const struct secret *fek,
		      struct failure *f);
int integrity_zeroize(const struct config_integrity *config, struct failure *f);
