/* SPDX-License-Identifier: GPL-3.0-or-later */
/* faults.h - memory that runs out: the n-th allocation of our own code and of cJSON fails.
 *
 * Enumerate them: fail the first, the second ... until nothing failed any more.
 */
#pragma once

#include <stdbool.h>

/* From now on the n-th fails, once; 0 = none does. */
void faults_fail_allocation(unsigned n);

/* Has it, since then? Ends it. */
bool faults_had_effect(void);
