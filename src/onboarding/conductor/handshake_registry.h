/* handshake_registry.h - what handshake_conductor wants of the registry, in the registry's words.
 *
 * For CONDUCTOR_LOOK_UP, which blocks as the registry does: on the thread pool; and for
 * CONDUCTOR_COMMIT.
 */
#pragma once

#include "core/err.h"
#include "onboarding/conductor/handshake_conductor.h"
#include "onboarding/conductor/registry.h"
#include "onboarding/conductor/registry_enrolment.h"

/* ret is the record for CONDUCTOR_LOOKED_UP, to be wiped with handshake_record_release(): an
 * asset-id that is nobody's or another router's is not known in it, a clock set back is told in it.
 * certificate: DER, this conductor's. Negative: the registry could not be asked
 * (CONDUCTOR_FAILED). */
int handshake_registry_look_up(struct registry *r, const struct message_hello *hello,
			       struct span certificate, int64_t now_s, struct handshake_record *ret,
			       struct err *err);
void handshake_record_release(struct handshake_record *record);

/* What registry_enrol() is to be told of a handshake that asks for CONDUCTOR_COMMIT; it borrows
 * from it. Once that has decided it is CONDUCTOR_COMMITTED or CONDUCTOR_DENIED by the verdict, and
 * either is in the audit already; where it fails, CONDUCTOR_FAILED. */
struct registry_proof handshake_registry_proof(const struct handshake_conductor *h);
