/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/summary.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "conductor/enrolment/identity_load.h"
#include "conductor/registry/registry_clock.h"
#include "conductord/old_ports.h"

static void look_at_certificate(struct summary *s, const struct config_conductor *config)
{
	_cleanup_(conductor_identity_release) struct conductor_identity identity = {0};
	struct err err;

	if (conductor_identity_load(&identity, config, &err) < 0)
		(void)snprintf(s->certificate_problem, sizeof(s->certificate_problem), "%s",
			       err.text);
	else
		s->certificate_ends_s = identity.expires_s;
}

static void look_at_clock(struct summary *s, struct registry *registry, int64_t now_s)
{
	struct err err;

	int rc = registry_clock_check(registry, now_s, &err);

	if (rc == -ETIME)
		(void)snprintf(s->clock_problem, sizeof(s->clock_problem), "%s", err.text);
	else if (rc == 0)
		s->clock_problem[0] = '\0';
}

void summary_take(struct summary *ret, struct registry *registry,
		  const struct config_conductor *config, const char *router, int64_t now_s)
{
	struct summary s = {.at_s = now_s, .old_ports = old_ports_listen(), .counts = ret->counts};
	struct err err = {0};

	memcpy(s.clock_problem, ret->clock_problem, sizeof(s.clock_problem));
	look_at_certificate(&s, config);
	look_at_clock(&s, registry, now_s);
	if (registry_counts_read(registry, router, now_s, &s.counts, &err) < 0)
		(void)snprintf(s.problem, sizeof(s.problem), "%s", err.text);
	s.error = err.code;
	*ret = s;
}

bool summary_warns_of_old_ports(const struct summary *s)
{
	unsigned enabled = s->counts.routers[ONBOARDING_PSK_ONLY] +
			   s->counts.routers[ONBOARDING_WEAK] +
			   s->counts.routers[ONBOARDING_STRONG];

	return s->old_ports && enabled > 0 && s->counts.routers[ONBOARDING_DISABLED] == 0;
}
