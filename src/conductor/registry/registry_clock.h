/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_clock.h - notices a clock that was set back: it would make expired tokens valid again.
 *
 * Each conductor stores the latest time that it has seen. While its clock is more than five
 * minutes before that, it issues no token and enrols nobody, until the clock is right again or an
 * operator says that it is (registry_clock_reset).
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "conductor/registry/registry.h"

#define REGISTRY_CLOCK_TOLERANCE_S INT64_C(300)

/* Store now_s if it is the latest. -ETIME: the clock was set back; the message has both times. To
 * be called now and then: registry_lookup only compares. */
int registry_clock_check(struct registry *r, int64_t now_s, struct err *err);

/* Forget the latest time: origin's time is the latest now. */
int registry_clock_reset(struct registry *r, const struct registry_origin *origin, struct err *err);

/* For the registry's other parts, within their transaction. */
struct registry_session;
int registry_clock_compare(struct registry_session *session, int64_t now_s, struct err *err);
int registry_clock_note(struct registry_session *session, int64_t now_s, struct err *err);
