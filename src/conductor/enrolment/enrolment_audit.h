/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_audit.h - the audit row of a handshake that has ended without a commit. Blocks.
 */
#pragma once

#include "conductor/enrolment/enrolment_handshake.h"

/* Writes the row. (A commit writes its own row.) If the router is unknown and the token is none of
 * ours, no row is written, and *ret_counts is true: the caller then counts a failure for the peer's
 * address. */
int enrolment_audit_append(const struct enrolment_handshake *h, bool *ret_counts, struct err *err);
