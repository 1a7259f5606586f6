/* enrolment_registry.h - what a handshake asks of the registry, in the handshake's words. Blocks.
 */
#pragma once

#include "conductor/enrolment/enrolment_handshake.h"

/* All there is to know of who says hello; conductors: what it will be told, freed by the caller.
 * Negative: the registry cannot be asked now. */
int enrolment_registry_look_up(const struct enrolment_context *context,
			       const struct message_hello *hello, struct handshake_record *ret,
			       struct message_accept *ret_conductors, struct err *err);

/* What came of a handshake that has ended without a commit, which has its line: a line where it was
 * somebody of ours, or whose token is; *ret_counts: a stranger, to be counted by its address. */
int enrolment_registry_audit(const struct enrolment_handshake *h, bool *ret_counts,
			     struct err *err);
