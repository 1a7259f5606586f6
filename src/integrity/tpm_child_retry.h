/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpm_child_retry.h - works with the TPM in a child (tpm_child.h), and again if the TPM was not
 * ready.
 *
 * A TPM may be testing itself, writing its NV memory, or full of objects that others left: that
 * says nothing about the disk. Such a failure (CAUSE_TPM_NOT_READY, or a refused authorization)
 * is tried again a few times, each time from the beginning with the TPM opened anew. Objects that
 * are left in a TPM without a resource manager are flushed first. So the work must be able to
 * begin again after any of its steps.
 */
#pragma once

#include "integrity/tpm_child.h"
#include "tpm/tpm.h"

/* Fills f and returns a negative errno where it fails; f->tpm_rc is filled for it. */
typedef int (*tpm_child_work_cb)(struct tpm *t, void *shared, struct failure *f);

struct tpm_child_job {
	const char *tcti;
	unsigned wait_ms; /* tpm_open() */
	tpm_child_work_cb work;
	tpm_child_beside_cb beside; /* tpm_child_run_beside(), in each try; NULL = nothing */
	void *shared;               /* from tpm_child_alloc() */
};
int tpm_child_do(const struct tpm_child_job *job, struct failure *f);

/* wait_ms: tpm_open(). shared: from tpm_child_alloc(). */
int tpm_child_ask(const char *tcti, unsigned wait_ms, tpm_child_work_cb work, void *shared,
		  struct failure *f);
