/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_result.h - what has become of a handshake: for the journal, and counted.
 */
#pragma once

#include <stdint.h>

#include "conductor/enrolment/enrolment_handshake.h"

/* Since the start. */
struct enrolment_counts {
	uint64_t enrolled;
	uint64_t refused;
	uint64_t strangers;
	uint64_t retry_later;
	uint32_t under_way;
};

void enrolment_result_log(const struct enrolment_handshake *h);
void enrolment_result_count(struct enrolment_counts *counts, enum enrolment_outcome outcome);
