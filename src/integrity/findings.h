/* SPDX-License-Identifier: GPL-3.0-or-later */
/* findings.h - what is there at boot, before anything is done about it (boot.h decides).
 */
#pragma once

#include "base/settings.h"
#include "integrity/boot.h"
#include "integrity/failure.h"

struct findings {
	struct boot_findings boot;
	struct failure of_tpm;         /* why its pins were not read */
	struct failure of_mount;       /* what is not mounted */
	TPM2_HANDLE unnamed[PINS_MAX]; /* where pins are that no configuration names */
	size_t n_unnamed;
};

/* Does the configuration enable encryption and name a directory? */
bool findings_enabled(const struct config_integrity *config);

/* Collects the findings. If there is a record.json, nothing else is looked at: the unlock finds
 * out the rest. -ENOMEM. */
int findings_gather(const struct config_integrity *config, struct findings *ret, struct failure *f);

/* Is what was found on the disk outdated: was a filesystem mounted since, or is there a record
 * now? */
bool findings_are_outdated(const struct config_integrity *config, const struct findings *found);

/* The NV indices that the configurations of this machine name: this one, and those of the router
 * and the conductor if they are enabled. */
#define NAMED_INDICES_MAX (3 * PIN_CHAIN_MAX)
size_t findings_named_indices(const struct config_integrity *config,
			      TPM2_HANDLE ret[NAMED_INDICES_MAX]);

/* How long to wait for a device that is not there yet: not at all if nothing is sealed, unless
 * the firmware says that there is a TPM. */
unsigned findings_patience_ms(bool has_something);

/* Lists the pins that no configuration names, to show them to an operator. -ENODEV and others
 * with f filled. */
int findings_unnamed_pins(const struct config_integrity *config, TPM2_HANDLE ret[PINS_MAX],
			  size_t *ret_n, struct failure *f);
