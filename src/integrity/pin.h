/* pin.h - which directories are ours, in the TPM's NV memory: written once, then locked for good.
 *
 * The pin is SHA-256 over `path ‖ 0x00 ‖ key identifier` of each directory, in record order. Its
 * index is defined with `writedefine`: once locked it can only be undefined, by the owner.
 *
 * Errors: those of core/tpm.h.
 */
#pragma once

#include "core/tpm.h"

#define PIN_SIZE 32

enum pin_state {
	PIN_ABSENT,
	PIN_UNWRITTEN, /* defined, and power failed */
	PIN_WRITTEN,   /* but not locked yet */
	PIN_LOCKED,
	PIN_FOREIGN, /* something else lies at the index */
};

struct pin {
	enum pin_state state;
	uint8_t digest[PIN_SIZE]; /* of WRITTEN and LOCKED */
};

/* session: salted, so that the answer is the TPM's and nobody's between; NULL = without. */
int pin_read(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session, struct pin *ret,
	     struct err *err);

/* Define, write, lock. session: salted HMAC. */
int pin_write(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session,
	      const uint8_t digest[PIN_SIZE], struct err *err);

/* Lock one that is written. */
int pin_lock(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* Nothing there, or something foreign: nothing to do. */
int pin_undefine(struct tpm *t, TPM2_HANDLE index, struct err *err);
