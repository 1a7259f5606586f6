/* handshake_registry.h - what handshake_conductor wants of the registry, in the registry's words.
 *
 * Performs CONDUCTOR_LOOK_UP and CONDUCTOR_COMMIT. Blocks, as the registry does: on the thread
 * pool.
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

/* 0: decided, and CONDUCTOR_COMMITTED or CONDUCTOR_DENIED by ret's verdict; either is in the audit
 * already. Negative: CONDUCTOR_FAILED. */
int handshake_registry_commit(struct registry *r, const struct handshake_conductor *h,
			      const struct registry_origin *origin, struct registry_decision *ret,
			      struct err *err);
