/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ability.h - can this system take part in Configuration Integrity? Each finding is logged.
 *
 * Errors: -EOPNOTSUPP: it cannot, f->err has the reason, and the boot goes on without encryption.
 * Any other error is an integrity event: a directory that is encrypted and has files in it has
 * lost its record and its TPM.
 */
#pragma once

#include "base/settings.h"
#include "integrity/fscrypt.h"
#include "integrity/wrapping_key.h"

/* It is absent or empty, on a filesystem that encrypts; -ENODATA: encrypted, with files in it. */
int ability_of_directory(const char *path, struct failure *f);

/* Each of them. */
int ability_of_directories(const struct config_integrity *config, struct failure *f);

/* A system that is set up in a lockout may never have seen a right authorization. A reseal goes on
 * in one: nothing of ours is protected from dictionary attacks (noDA). */
int ability_not_locked_out(struct tpm *t, struct failure *f);

/* The TPM has what is needed, and what lies at our handles is ours: known are
 * the Names of keys that our records name. *ret_policy: the configured PCRs with their values. */
int ability_of_tpm(struct tpm *t, const struct config_integrity *config, const TPM2B_NAME *known,
		   size_t n_known, struct pcr_policy *ret_policy, struct failure *f);
