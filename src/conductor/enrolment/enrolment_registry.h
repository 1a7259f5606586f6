/* enrolment_registry.h - asks the registry for a handshake, and converts between the types of
 * both. Blocks.
 */
#pragma once

#include "conductor/enrolment/enrolment_handshake.h"

/* All that the registry knows of the router that says hello. ret_conductors: the conductors of
 * which it will be told; freed by the caller. Negative: the registry cannot be asked now. */
int enrolment_registry_look_up(const struct enrolment_context *context,
			       const struct message_hello *hello, struct handshake_record *ret,
			       struct message_accept *ret_conductors, struct err *err);

/* Writes the audit row of a handshake that has ended without a commit. (A commit writes its own
 * row.) If the router is unknown and the token is none of ours, no row is written, and
 * *ret_counts is true: the caller then counts a failure for the peer's address. */
int enrolment_registry_audit(const struct enrolment_handshake *h, bool *ret_counts,
			     struct err *err);
