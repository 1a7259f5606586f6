/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_store.h - the signed policies that a machine has: those that came with the image
 * (policy-directory), and those that an operator brought (the folder "policies" beside the
 * record).
 *
 * A file that is no signed policy is logged once, and does not affect the others. These files are
 * not trusted: the TPM decides what opens.
 */
#pragma once

#include "base/settings.h"
#include "integrity/failure.h"
#include "integrity/signed_policy.h"

#define POLICY_STORE_MAX    64 /* that are looked at */
#define POLICY_STORE_KEPT   32 /* that may be brought */
#define POLICY_STORE_FOLDER "policies"

struct policy_store {
	struct signed_policy *each; /* the highest generation first */
	size_t n;
};

/* -ENOMEM. */
int policy_store_load(const struct config_integrity *config, struct policy_store *ret,
		      struct err *err);
void policy_store_release(struct policy_store *store);

/* Keep one beside the record. It must be signed by the authority of the record, or of the
 * configuration where there is no record. Errors: -EBADMSG, -EKEYREJECTED, -EINVAL (no policy-key
 * is used), -ENOSPC (too many are kept), those of the disk. */
int policy_store_add(const struct config_integrity *config, struct span text, struct err *err);

/* Have the folder beside the record, where stewardd may bring more; of what is in it, remove those
 * whose generation is below. */
int policy_store_prune(const struct config_integrity *config, uint64_t generation, struct err *err);

/* Remove the folder with all that was brought, and the name of the one that opened. */
int policy_store_clear(const struct config_integrity *config, struct err *err);

/* Under which policy the directories were opened last; beside the record, for who asks. */
struct policy_opened {
	char name[SIGNED_POLICY_NAME_SIZE]; /* "" = by none that is signed */
	uint64_t generation;
	uint64_t count; /* at which the counter stood */
	TPM2B_DIGEST digest;
};
int policy_opened_save(const struct config_integrity *config, const struct policy_opened *opened,
		       struct err *err);
/* -ENOENT. */
int policy_opened_load(const struct config_integrity *config, struct policy_opened *ret,
		       struct err *err);
