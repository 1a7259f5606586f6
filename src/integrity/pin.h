/* pin.h - which directories are ours, in the TPM's NV memory: written once, then locked for good.
 *
 * The pin is SHA-256 over `path ‖ 0x00 ‖ key identifier` of each directory, in record order. Its
 * index is defined with `writedefine`: once locked it can only be undefined, by the owner.
 *
 * Errors: those of tpm/tpm.h.
 */
#pragma once

#include <stdbool.h>

#include "tpm/tpm.h"

#define PIN_SIZE 32

/* Directories that are added later get a pin over all of them at an index of its own, which takes
 * the place of the one before without that being touched: so many there can be. The record has the
 * number of its pin, 0 for the first. */
#define PIN_CHAIN_MAX 8
static inline TPM2_HANDLE pin_index(TPM2_HANDLE first, unsigned number)
{
	return first + 0x10 * number;
}

enum pin_state {
	PIN_ABSENT,
	PIN_UNWRITTEN, /* defined, and power failed */
	PIN_WRITTEN,   /* but not locked yet */
	PIN_LOCKED,
	PIN_FOREIGN, /* something else lies at the index */
};

bool pin_is_written(enum pin_state state);

struct pin {
	enum pin_state state;
	uint8_t digest[PIN_SIZE]; /* of WRITTEN and LOCKED */
};

/* session: salted, so that the answer is the TPM's and nobody's between; NULL = without. */
int pin_read(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session, struct pin *ret,
	     struct err *err);

/* Define, write, lock, or what is left to do of these. session: salted HMAC. -EEXIST: something
 * else is written there. */
int pin_write(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session,
	      const uint8_t digest[PIN_SIZE], struct err *err);

/* Lock one that is written. */
int pin_lock(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* Undefine one that power failed on before it was written. Nothing there, or something foreign:
 * nothing to do. -EEXIST: it is written, and stays. */
int pin_undefine_unwritten(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* Whatever is in it: only for who was asked by a person. Otherwise as above. */
int pin_undefine(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* The indices of all pins that are written, but for those in named: what has our attributes and
 * size, wherever it lies. *ret_n is at most max. */
#define PINS_MAX 32
int pin_find_others(struct tpm *t, const TPM2_HANDLE *named, size_t n_named, TPM2_HANDLE *ret,
		    size_t max, size_t *ret_n, struct err *err);
