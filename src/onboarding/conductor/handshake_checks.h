/* handshake_checks.h - what the conductor judges a router by, message by message.
 *
 * Each check fills err with the one sentence that the audit gets; -EKEYREJECTED of a pin means
 * another device, anything else -EACCES or what the part that judged said.
 */
#pragma once

#include "onboarding/conductor/handshake_conductor.h"

/* Message 1 against the registry, cheap before dear. */
int handshake_check_hello(const struct handshake_conductor *h, struct err *err);

/* What to ask for beside the secret. -EACCES: the mode asks for more than is configured. */
int handshake_choose_identity(const struct handshake_conductor *h, enum message_identity *ret,
			      struct err *err);

/* Message 3 of a router that shows a certificate; fills the pin. */
int handshake_check_certificate(const struct handshake_conductor *h, struct handshake_pin *ret,
				struct err *err);

/* Message 3 of one that shows an EK; fills the pin and reads the AK. */
int handshake_check_ek(const struct handshake_conductor *h, const struct message_proof *proof,
		       struct handshake_pin *ret_pin, struct credential_ak *ret_ak,
		       struct err *err);

/* -EKEYREJECTED: the node is enrolled with another one. */
int handshake_check_pin(const struct handshake_record *record, const struct handshake_pin *pin,
			struct err *err);
