#include "conductord/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conductord/identity.h"
#include "conductord/old_ports.h"
#include "core/macros.h"
#include "onboarding/conductor/registry_clock.h"
#include "onboarding/conductor/registry_enrolment.h"
#include "onboarding/conductor/registry_nodes.h"
#include "onboarding/conductor/registry_routers.h"
#include "onboarding/conductor/registry_tokens.h"

static void free_rows(void *rows)
{
	free(*(void **)rows);
}

static bool is_meant(const char *router, const char *name)
{
	return !router || strcmp(router, name) == 0;
}

static int count_routers(struct summary *s, struct registry *registry, const char *router,
			 struct err *err)
{
	_cleanup_(free_rows) struct registry_router *routers = NULL;
	unsigned found = 0;
	size_t n;
	int rc = registry_routers_list(registry, &routers, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (!is_meant(router, routers[i].name))
			continue;
		s->routers[routers[i].mode]++;
		s->nodes += (unsigned)routers[i].n_nodes;
		s->enrolments += (unsigned)routers[i].n_enrolled;
		found++;
	}
	if (rc == 0 && router && found == 0)
		rc = err_set(err, -ENOENT, "there is no router %s", router);
	return rc;
}

static int count_tokens(struct summary *s, struct registry *registry, const char *router,
			int64_t now_s, struct err *err)
{
	_cleanup_(free_rows) struct registry_token *tokens = NULL;
	size_t n;
	int rc = registry_tokens_list(registry, router, &tokens, &n, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (tokens[i].revoked_s)
			s->tokens_revoked++;
		else if (tokens[i].expires_s <= now_s)
			s->tokens_expired++;
		else
			s->tokens_valid++;
	}
	return rc;
}

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

	if (registry_clock_check(registry, now_s, &err) == -ETIME)
		(void)snprintf(s->clock_problem, sizeof(s->clock_problem), "%s", err.text);
}

void summary_take(struct summary *ret, struct registry *registry,
		  const struct config_conductor *config, const char *router, int64_t now_s)
{
	struct summary s = {.at_s = now_s, .old_ports = old_ports_listen()};
	struct err err = {0};

	look_at_certificate(&s, config);
	look_at_clock(&s, registry, now_s);
	if (count_routers(&s, registry, router, &err) < 0 ||
	    count_tokens(&s, registry, router, now_s, &err) < 0)
		(void)snprintf(s.problem, sizeof(s.problem), "%s", err.text);
	s.error = err.code;
	*ret = s;
}

bool summary_warns_of_old_ports(const struct summary *s)
{
	unsigned enabled = s->routers[ONBOARDING_PSK_ONLY] + s->routers[ONBOARDING_WEAK] +
			   s->routers[ONBOARDING_STRONG];

	return s->old_ports && enabled > 0 && s->routers[ONBOARDING_DISABLED] == 0;
}
