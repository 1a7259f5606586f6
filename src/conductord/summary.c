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
		  const struct config_conductor *config, const struct registry_conductor *self,
		  const char *router, int64_t now_s)
{
	struct summary s = {.at_s = now_s,
			    .old_ports = old_ports_listen(),
			    .counts = ret->counts,
			    .own_row = ret->own_row};
	struct err err = {0};

	memcpy(s.clock_problem, ret->clock_problem, sizeof(s.clock_problem));
	look_at_certificate(&s, config);
	look_at_clock(&s, registry, now_s);
	if (registry_counts_read(registry, router, now_s, &s.counts, &err) < 0)
		(void)snprintf(s.problem, sizeof(s.problem), "%s", err.text);
	s.error = err.code;
	if (self)
		(void)registry_conductor_check(registry, self, now_s, &s.own_row, NULL);
	*ret = s;
}

void summary_own_row_text(const struct summary *s, const char *name, char ret[SUMMARY_OWN_ROW_SIZE])
{
	const char *other = s->own_row.other;

	ret[0] = '\0';
	switch (s->own_row.standing) {
	case REGISTRY_STANDS:
		break;
	case REGISTRY_IS_REMOVED:
		(void)snprintf(ret, SUMMARY_OWN_ROW_SIZE,
			       "conductor %s was removed from the registry, and routers leave it: "
			       "stop it for good; a restart registers it again",
			       name);
		break;
	case REGISTRY_IS_OTHERS:
	case REGISTRY_IS_CONTESTED:
		(void)snprintf(ret, SUMMARY_OWN_ROW_SIZE,
			       "two machines are conductor %s: this one and %s, and routers are "
			       "told of %s alone; give one of them another name and restart it",
			       name, other,
			       s->own_row.standing == REGISTRY_IS_OTHERS ? "the other"
									 : "this one");
		break;
	}
}

bool summary_warns_of_old_ports(const struct summary *s)
{
	unsigned enabled = s->counts.routers[ONBOARDING_PSK_ONLY] +
			   s->counts.routers[ONBOARDING_WEAK] +
			   s->counts.routers[ONBOARDING_STRONG];

	return s->old_ports && enabled > 0 && s->counts.routers[ONBOARDING_DISABLED] == 0;
}
