/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/engine/limiter.h"

#include "base/macros.h"

#define BURST_MS 50

/* The bucket's size, in the unit of tokens; at least one bit. */
static int64_t burst(const struct limiter *limiter)
{
	return (int64_t)MAX(limiter->rate_bps * BURST_MS, 1000);
}

void limiter_init(struct limiter *limiter, uint64_t rate_bps, uint64_t now_ms)
{
	limiter->rate_bps = rate_bps;
	limiter->refilled_ms = now_ms;
	limiter->tokens = burst(limiter);
}

static void refill(struct limiter *limiter, uint64_t now_ms)
{
	/* Time beyond what fills the bucket from any debt is not counted, so that the product
	 * cannot overflow. */
	uint64_t passed = MIN(now_ms - limiter->refilled_ms, UINT64_C(4000000));

	limiter->tokens += (int64_t)(limiter->rate_bps * passed);
	limiter->tokens = MIN(limiter->tokens, burst(limiter));
	limiter->refilled_ms = now_ms;
}

void limiter_set_rate(struct limiter *limiter, uint64_t rate_bps, uint64_t now_ms)
{
	refill(limiter, now_ms);
	limiter->rate_bps = rate_bps;
	limiter->tokens = MIN(limiter->tokens, burst(limiter));
}

uint64_t limiter_budget(struct limiter *limiter, uint64_t now_ms)
{
	if (limiter->rate_bps == 0)
		return UINT64_MAX;
	refill(limiter, now_ms);
	return limiter->tokens > 0 ? (uint64_t)limiter->tokens / 8000 + 1 : 0;
}

bool limiter_allows(struct limiter *limiter, uint64_t now_ms)
{
	return limiter_budget(limiter, now_ms) > 0;
}

void limiter_spend(struct limiter *limiter, uint64_t bytes, uint64_t now_ms)
{
	if (limiter->rate_bps == 0)
		return;
	refill(limiter, now_ms);
	limiter->tokens -= (int64_t)(bytes * 8 * 1000);
}

uint64_t limiter_wait_ms(struct limiter *limiter, uint64_t now_ms)
{
	uint64_t debt;

	if (limiter_allows(limiter, now_ms))
		return 0;
	debt = (uint64_t)(-limiter->tokens) + 1;
	return (debt + limiter->rate_bps - 1) / limiter->rate_bps;
}
