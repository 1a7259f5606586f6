/* SPDX-License-Identifier: GPL-3.0-or-later */
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

/* How many pins there can be. When directories are added, a pin over all of them is written at an
 * index of its own, and replaces the one before, which stays as it is. The record has the number
 * of its pin, 0 for the first. */
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

/* session: salted, so that nobody between can answer for the TPM; NULL = without. */
int pin_read(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session, struct pin *ret,
	     struct err *err);

/* Defines, writes and locks the pin, or does what is left of these steps. session: salted HMAC.
 * -EEXIST: something else is written there. */
int pin_write(struct tpm *t, TPM2_HANDLE index, const struct tpm_object *session,
	      const uint8_t digest[PIN_SIZE], struct err *err);

/* Lock one that is written. */
int pin_lock(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* Undefines an index that was defined but, after a power cut, never written. If nothing, or
 * something foreign, is there, nothing happens. -EEXIST: it is written, and stays. */
int pin_undefine_unwritten(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* Undefines the pin also if it is written: only after a person has asked for it. Otherwise as
 * above. */
int pin_undefine(struct tpm *t, TPM2_HANDLE index, struct err *err);

/* Finds all pins that are written, except at the indices in named: every index that has our
 * attributes and size. *ret_n is at most max. */
#define PINS_MAX 32
int pin_find_others(struct tpm *t, const TPM2_HANDLE *named, size_t n_named, TPM2_HANDLE *ret,
		    size_t max, size_t *ret_n, struct err *err);
