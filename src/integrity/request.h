/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request.h - what an operator asks for by hand: 'integrity-handler --request', which 'stewardctl
 * request configuration-integrity' starts.
 *
 * One request runs at a time (turn.h). A reason for which a boot would only go on without
 * encryption is a refusal here.
 */
#pragma once

#include <stdbool.h>

#include "base/secret.h"
#include "base/settings.h"
#include "integrity/failure.h"

/* -EALREADY: is enabled, and has every directory that is configured. migrate: those that are full
 * are moved in (migrate.h). */
int integrity_enable(const struct config_integrity *config, bool migrate, struct failure *f);

/* -ENOENT: nothing is encrypted. */
int integrity_reseal(const struct config_integrity *config, struct failure *f);

/* With the FEK that recovery.json holds wrapped: opened, and sealed to the TPM that is here now.
 * -EALREADY: it opens without. */
int integrity_recover(const struct config_integrity *config, const struct secret *fek,
		      struct failure *f);

/* Also destroys what a configuration that is switched off has left, and pins that no configuration
 * names: who asks for it has been told which (findings.h). */
int integrity_zeroize(const struct config_integrity *config, struct failure *f);
