/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_health.h - does the registry answer; since when not; when is it asked again?
 *
 * The call that finds out that it does not answer waits with all its patience. For one second
 * after that other calls fail at once with the same error. Then one of them tries again, with
 * less patience. Reading and writing are judged separately: a lock that somebody holds on a file
 * stops only those who write.
 *
 * Pure but for its lock: any thread may ask.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

enum registry_kind { REGISTRY_READS, REGISTRY_WRITES, N_REGISTRY_KINDS };

/* It does not answer. */
struct registry_outage {
	bool is_on;
	uint64_t since_ms;
	uint64_t alone_until_ms; /* until then nobody asks */
	struct err why;
};

struct registry_health {
	uv_mutex_t lock;
	struct registry_outage outages[N_REGISTRY_KINDS];
};

/* How a call ended. */
struct registry_ending {
	enum registry_kind kind;
	uint64_t began_ms;  /* the call */
	struct err err;     /* code 0 = it was answered, be it by a refusal */
	bool is_of_both;    /* it never came to what it wanted: the connection failed */
	bool is_left_alone; /* asking again at once would be as much in vain */
};

int registry_health_init(struct registry_health *h, struct err *err);
void registry_health_release(struct registry_health *h);

/* May a call ask now, and for how long may it wait? 0 = it may not, and err says why. */
uint64_t registry_health_patience_ms(struct registry_health *h, enum registry_kind kind,
				     uint64_t now_ms, struct err *err);
void registry_health_note(struct registry_health *h, const struct registry_ending *ending,
			  uint64_t now_ms);
/* Does something not answer? Returns the outage that began first, and which kind is to be tried. */
bool registry_health_outage(struct registry_health *h, struct registry_outage *ret,
			    enum registry_kind *ret_kind);
