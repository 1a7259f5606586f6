/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stopwatch.h - how long each step of an unlock took, for the debug log.
 */
#pragma once

#include <stdint.h>

struct stopwatch {
	uint64_t began_ns;
	uint64_t tpm_ns; /* spent in the TPM before this step */
};

struct stopwatch stopwatch_start(void);

/* "step locate took 12.31 ms, of which the TPM 11.90 ms"; the next step begins. tpm_ns: spent in
 * the TPM so far; 0 where it takes no part. */
void stopwatch_step(struct stopwatch *watch, const char *step, uint64_t tpm_ns);
