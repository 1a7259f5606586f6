/* handshake_registry.h - translates between handshake_conductor and the registry.
 *
 * For CONDUCTOR_LOOK_UP, which blocks as the registry does: on the thread pool; and for
 * CONDUCTOR_COMMIT.
 */
#pragma once

#include "base/err.h"
#include "conductor/enrolment/handshake_conductor.h"
#include "conductor/registry/registry.h"
#include "conductor/registry/registry_enrolment.h"

/* ret is the record for CONDUCTOR_LOOKED_UP; wipe it with handshake_record_release(). It says if
 * no node, or a node of another router, has the asset-id, and if the clock was set back.
 * certificate: this conductor's, DER. Negative: the registry could not be asked
 * (CONDUCTOR_FAILED). */
int handshake_registry_look_up(struct registry *r, const struct message_hello *hello,
			       struct span certificate, int64_t now_s, struct handshake_record *ret,
			       struct err *err);
void handshake_record_release(struct handshake_record *record);

/* The conductors that a router of this listen_port is told of; ret->conductors is freed by the
 * caller, also after a failure. -EAGAIN: none is registered yet, as when the database came later
 * than this conductor: a router that is enrolled with nobody would have nowhere to go. */
int handshake_registry_list_conductors(struct registry *r, uint16_t listen_port,
				       uint16_t repository_port, struct message_accept *ret,
				       struct err *err);

/* What registry_enrol() must be told of a handshake that asks for CONDUCTOR_COMMIT; it borrows
 * from the handshake. Once registry_enrol() has decided, its verdict means CONDUCTOR_COMMITTED or
 * CONDUCTOR_DENIED, and the audit has it already. If it fails: CONDUCTOR_FAILED. */
struct registry_proof handshake_registry_proof(const struct handshake_conductor *h);
