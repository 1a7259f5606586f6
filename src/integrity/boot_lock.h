/* SPDX-License-Identifier: GPL-3.0-or-later */
/* boot_lock.h - makes the key of the directories unusable after the boot (seal-after-boot).
 *
 * The wrapping key's policy then also requires that a counter in NV memory (seal-nv-index) has
 * the value that it had when the key was made. Once everything is open, the counter is closed for
 * reading (TPM2_NV_ReadLock) until the TPM restarts: no session can satisfy the policy any more.
 * Whoever owns the TPM may remove the counter and make another one, but that begins above the old
 * value, and so never opens anything.
 *
 * Calling sequence: boot_lock_prepare -> a key is made; boot_lock_check -> the key is used;
 * everything is open -> boot_lock_close.
 */
#pragma once

#include "base/settings.h"
#include "integrity/failure.h"
#include "integrity/wrapping_key.h"

/* For a key that is to be made: with seal-after-boot the counter is provided, and policy asks for
 * it. -EKEYREJECTED with CAUSE_SEALED: it is closed. */
int boot_lock_prepare(struct tpm *t, const struct config_integrity *config,
		      struct pcr_policy *policy, struct failure *f);

/* May a key of this policy be used, as far as its counter goes? -EKEYREJECTED with CAUSE_SEALED:
 * not until the next boot; -ENOENT with CAUSE_KEY_REPLACED: never more, the counter is another. */
int boot_lock_check(struct tpm *t, const struct pcr_policy *policy, struct failure *f);

/* Everything is open: close the counter of the record's key, in a child, so that from here on the
 * key is nobody's. One that is closed: nothing to do. That it could not be done is logged. */
void boot_lock_close(const struct config_integrity *config);
