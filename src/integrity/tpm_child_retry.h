/* tpm_child_retry.h - work with the TPM in a child (tpm_child.h), and once more where the TPM could
 * not.
 *
 * A TPM may be testing itself, writing its NV memory, or full of what others left: that says
 * nothing of the disk. Such a failure (CAUSE_TPM_NOT_READY, or a refused authorization) is tried
 * again a few times, each time from the beginning and with the TPM opened anew; what is left loaded
 * in a raw TPM is flushed first. So the work must be fit to be begun again after any of its steps.
 */
#pragma once

#include "integrity/tpm_child.h"
#include "tpm/tpm.h"

/* Fills f and returns a negative errno where it fails; f->tpm_rc is filled for it. */
typedef int (*tpm_child_work_cb)(struct tpm *t, void *shared, struct failure *f);

/* wait_ms: tpm_open(). shared: from tpm_child_alloc(). */
int tpm_child_ask(const char *tcti, unsigned wait_ms, tpm_child_work_cb work, void *shared,
		  struct failure *f);
