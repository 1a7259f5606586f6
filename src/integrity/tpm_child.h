/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpm_child.h - works with the TPM in a child process, so that all copies of the FEK end with it.
 *
 * ESYS and OpenSSL keep what they decrypt on heap and stack, and free it without wiping. In a
 * child all of that is gone when it has ended. A TPM that lies may crash tss2: then the child
 * ends, and that is an error like any other.
 *
 * Results are passed in memory from tpm_child_alloc(), which both processes see. Everything else
 * that the child changes is lost.
 */
#pragma once

#include <stddef.h>

#include "integrity/failure.h"

/* Zeroed, locked, left out of core dumps. NULL with f filled. */
void *tpm_child_alloc(size_t size, struct failure *f);
/* Wipes. Takes NULL. */
void tpm_child_free(void *shared, size_t size);

/* In the child, before it has the first secret: locks all its present and future memory, and
 * prevents a core dump. */
int tpm_child_keep_secrets(struct failure *f);

typedef int (*tpm_child_cb)(void *shared, struct failure *f);

/* Runs work(shared, f) in a child to its end; its return value and f come back. If the TPM does
 * not answer a command, the consoles show that, and then the child is ended: -ETIMEDOUT with
 * CAUSE_TPM_SILENT. */
int tpm_child_run(tpm_child_cb work, void *shared, struct failure *f);

/* The same; beside(shared) is called here while the child works. Where it returns a negative errno,
 * the child gets a second to end by itself, and then is ended: -ECANCELED. */
typedef int (*tpm_child_beside_cb)(void *shared);
int tpm_child_run_beside(tpm_child_cb work, tpm_child_beside_cb beside, void *shared,
			 struct failure *f);

/* For one command. Making an RSA key takes some TPMs half a minute. */
struct tpm_child_patience {
	unsigned told_ms;
	unsigned ended_ms;
};
#define TPM_CHILD_PATIENCE ((struct tpm_child_patience){.told_ms = 10000, .ended_ms = 60000})
int tpm_child_run_for(const struct tpm_child_patience *patience, tpm_child_cb work, void *shared,
		      struct failure *f);
