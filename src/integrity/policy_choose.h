/* SPDX-License-Identifier: GPL-3.0-or-later */
/* policy_choose.h - chooses the signed policy that opens this machine as it is now, and ends the
 * older ones.
 *
 * Calling sequence: policy_choose -> fek_unwrap with policy->by -> everything is open ->
 * policy_end_older, if the policy says so.
 */
#pragma once

#include "integrity/policy_store.h"

/* Chooses, of the policies that fit the present PCRs, are signed by policy->authority and are not
 * ended, the one with the highest generation: *ret, to which policy->by is set. *ret_opened is
 * for policy_opened_save(). -EKEYREJECTED with CAUSE_NO_POLICY: none fits; the message says why
 * for each. */
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
