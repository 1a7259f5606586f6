/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rollout_order.h - a rollout as it is ordered and shown, in JSON. */
#pragma once

#include <cjson/cJSON.h>

#include "conductor/registry/registry_rollouts.h"

/* Reads what POST /v1/rollouts is given, all but its selector. ret_spread: "" = none. What
 * depends on the number of members is read by rollout_order_finish(). -EINVAL, -EBADMSG. */
int rollout_order_read(const cJSON *body, struct registry_rollout *ret,
		       char ret_spread[TOKEN_NAME_SIZE], struct err *err);
/* plan.n is known now. */
int rollout_order_finish(const cJSON *body, struct registry_rollout *ret, struct err *err);

cJSON *rollout_order_show(const struct registry_rollout *rollout);
