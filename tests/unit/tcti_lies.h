/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tcti_lies.h - between us and a TPM: answers the n-th command by a code, and keeps it from the
 * TPM, as one that cannot now does.
 *
 * What opens a TPM by tss2's loader goes through it, in programs that are linked with its --wrap
 * options (CMakeLists.txt).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LIES_COMMANDS_MAX 512

/* In memory that children share. */
struct lies {
	unsigned n;    /* 1 = the first; 0 = nothing is answered wrongly */
	bool for_ever; /* and all after it */
	uint32_t code;
	unsigned n_commands; /* so far */
	unsigned n_unlocked; /* that ask for a secret, from memory that may be swapped out */
	uint32_t commands[LIES_COMMANDS_MAX];
};

extern struct lies *lies;
void lies_make(void);
void lies_tell(unsigned n, uint32_t code, bool for_ever);
/* The truth from now on. Returns the command that was lied about; 0 = there were not as many. */
uint32_t lies_end(void);
