/* SPDX-License-Identifier: GPL-3.0-or-later */
/* limiter.h - the bandwidth budget that all transfers share.
 *
 * One token bucket with 50 ms of burst (docs/download.md, "Fetch"). It counts
 * body bytes as they are received. What arrives in one read may be more than is left: the
 * bucket then goes into debt, which the next 50 ms pay, so that the mean is exact whatever the
 * reads' size. Pure: time is an argument.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct limiter {
	uint64_t rate_bps;    /* bits a second; 0 = unlimited */
	int64_t tokens;       /* bits, times 1000; negative = debt */
	uint64_t refilled_ms; /* when tokens was last true */
};

void limiter_init(struct limiter *limiter, uint64_t rate_bps, uint64_t now_ms);

/* A new rate counts from now on; a debt is kept. */
void limiter_set_rate(struct limiter *limiter, uint64_t rate_bps, uint64_t now_ms);

/* How many bytes may be received now, rounded up; 0 = none. */
uint64_t limiter_budget(struct limiter *limiter, uint64_t now_ms);

/* Whether bytes may be received now. */
bool limiter_allows(struct limiter *limiter, uint64_t now_ms);

/* Count received bytes. */
void limiter_spend(struct limiter *limiter, uint64_t bytes, uint64_t now_ms);

/* How long until limiter_allows() will say yes, milliseconds, at least 1; 0 = now. */
uint64_t limiter_wait_ms(struct limiter *limiter, uint64_t now_ms);
