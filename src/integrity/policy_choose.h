/* policy_choose.h - which of the signed policies opens this machine as it is now, and the end of
 * those that are older.
 *
 * Calling sequence: policy_choose -> fek_unwrap with policy->by -> everything is open ->
 * policy_end_older, if the policy says so.
 */
#pragma once

#include "integrity/policy_store.h"

/* Of those that fit the PCRs of now, by a signature of policy->authority, and are not ended, the
 * one of the highest generation: *ret, and policy->by is set to it. *ret_opened is for
 * policy_opened_save(). -EKEYREJECTED with CAUSE_NO_POLICY: none does, and why each does not. */
int policy_choose(struct tpm *t, const struct config_integrity *config, struct pcr_policy *policy,
		  struct signed_policy *ret, struct policy_opened *ret_opened, struct failure *f);

/* For a key that is to be made: what seal-after-boot asks for (boot_lock.h); with policy-key the
 * authority with its counter, and a policy that fits. *policy has mask and values of now. */
int policy_prepare(struct tpm *t, const struct config_integrity *config, struct pcr_policy *policy,
		   struct signed_policy *ret, struct policy_opened *ret_opened, struct failure *f);

/* Increment the counter until it stands at the policy's generation; what is older opens nothing any
 * more. *ret_count: where it stands then. */
int policy_end_older(const struct config_integrity *config, const struct signed_policy *policy,
		     uint64_t *ret_count, struct failure *f);
