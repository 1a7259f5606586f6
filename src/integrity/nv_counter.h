/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nv_counter.h - a counter in the TPM's NV memory, and the conditions on it in policies.
 *
 * A counter never goes back, not even by being removed and defined again: then it begins above
 * all that this TPM ever counted (TPM 2.0 part 1, 37.2.4). So a condition on a counter that is
 * gone is never satisfied again by chance.
 *
 * The public area is the same on every machine, and so is its Name, which is part of a policy
 * digest: one signature serves a fleet. A lockable counter can be closed for reading until the
 * TPM restarts; then no policy with a condition on it can be satisfied.
 *
 * Errors: those of tpm/tpm.h; -EEXIST if something else is at the index.
 */
#pragma once

#include <stdbool.h>

#include "tpm/tpm.h"

enum nv_counter_state {
	NV_COUNTER_ABSENT,
	NV_COUNTER_UNWRITTEN, /* defined, and power failed */
	NV_COUNTER_COUNTS,
	NV_COUNTER_LOCKED, /* until the TPM starts again */
	NV_COUNTER_FOREIGN,
};

struct nv_counter {
	TPM2_HANDLE index;
	bool lockable;
	enum nv_counter_state state;
	uint64_t count; /* of COUNTS */
	ESYS_TR handle; /* of all but ABSENT */
};

/* What a policy asks of a counter. */
struct nv_condition {
	TPM2_HANDLE index;
	bool lockable;
	TPM2_EO operation; /* the counter, compared with value */
	uint64_t value;
};

int nv_counter_find(struct tpm *t, TPM2_HANDLE index, bool lockable, struct nv_counter *ret,
		    struct err *err);
/* Define it if it is absent, and let it count from somewhere. One that counts stays as it is. */
int nv_counter_provide(struct tpm *t, TPM2_HANDLE index, bool lockable, struct nv_counter *ret,
		       struct err *err);
int nv_counter_increment(struct tpm *t, struct nv_counter *counter, struct err *err);
/* Closes it for reading. If it is closed already, nothing happens. */
int nv_counter_lock(struct tpm *t, struct nv_counter *counter, struct err *err);
/* Nothing there, or something foreign: nothing to do. */
int nv_counter_undefine(struct tpm *t, TPM2_HANDLE index, bool lockable, struct err *err);

/* TPM2_PolicyNV in a policy session. A condition that is not true is -EKEYREJECTED. */
int nv_condition_authorize(struct tpm *t, const struct tpm_object *session,
			   const struct nv_condition *condition, struct err *err);
/* PURE. What it makes of a policy digest. -ENOMEM. */
int nv_condition_extend(const struct nv_condition *condition, TPM2B_DIGEST *digest);
