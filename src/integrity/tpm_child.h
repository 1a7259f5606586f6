/* tpm_child.h - work with the TPM in a child process, so that its copies of the FEK die with it.
 *
 * ESYS and OpenSSL keep what they decrypted on heap and stack, and free it unwiped. In a child all
 * of that is gone when it has ended. A TPM that lies may crash tss2: that ends the child, and is
 * an error here like any other.
 *
 * What the work gives back lies in memory from tpm_child_alloc(), which both see; all else that it
 * changes is lost.
 */
#pragma once

#include <stddef.h>

#include "integrity/failure.h"

/* Zeroed, locked, left out of core dumps. NULL with f filled. */
void *tpm_child_alloc(size_t size, struct failure *f);
/* Wipes. Takes NULL. */
void tpm_child_free(void *shared, size_t size);

/* In the child, before the first byte of a secret is there: all memory of this process, and what it
 * will still get, is locked, and it leaves no core. */
int tpm_child_keep_secrets(struct failure *f);

typedef int (*tpm_child_cb)(void *shared, struct failure *f);

/* Run work(shared, f) in a child, to its end; what it returned and filled into f comes back. A TPM
 * that does not answer a command is told of on the consoles, and then ends the child: -ETIMEDOUT
 * with CAUSE_TPM_SILENT. */
int tpm_child_run(tpm_child_cb work, void *shared, struct failure *f);

/* For one command. Making an RSA key takes some TPMs half a minute. */
struct tpm_child_patience {
	unsigned told_ms;
	unsigned ended_ms;
};
#define TPM_CHILD_PATIENCE ((struct tpm_child_patience){.told_ms = 10000, .ended_ms = 60000})
int tpm_child_run_for(const struct tpm_child_patience *patience, tpm_child_cb work, void *shared,
		      struct failure *f);
