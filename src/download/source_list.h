/* SPDX-License-Identifier: GPL-3.0-or-later */
/* source_list.h - the sources the configuration allows, in order of preference.
 *
 * A copy of its own: a running download keeps using it when the configuration is exchanged,
 * until its next attempt.
 */
#pragma once

#include <stddef.h>

#include "base/settings.h"
#include "download/engine/engine.h"
#include "http/http_client.h"

struct source_place {
	char *name;
	enum source_kind kind;
	char *url;                 /* ends in '/' */
	char *query;               /* a secret; NULL = none */
	struct http_access access; /* its strings are owned by the list */
	unsigned concurrency;      /* requests at once; 0 = no limit of its own */
	bool only_imported;        /* nothing else that it has is used */
};

struct source_list {
	struct source_place places[SOURCES_MAX];
	unsigned n;
};

/* The HA peer, then by kind, then as configured, each followed by its mirrors: these are places of
 * their own, named "<source>/2", "<source>/3" and so on, so that what one fails costs that one;
 * kinds that the access mode leaves out are not there. -ENOMEM; -E2BIG if there are more than
 * SOURCES_MAX. */
int source_list_make(struct source_list *ret, const struct config *config, struct err *err);
void source_list_release(struct source_list *list);

/* The first one that config leaves out by its access mode, or of which it takes less than the list
 * does; NULL = none. */
const struct source_place *source_list_forbidden(const struct source_list *list,
						 const struct config *config);

/* Names and kinds, for engine_set_sources(); borrowed from the list. */
void source_list_specs(const struct source_list *list, struct engine_source_spec *ret);

/* "<url><version>/<file><query>", without version "<url><file><query>"; freed by the caller; NULL =
 * out of memory. */
char *source_url(const struct source_place *place, const char *version, const char *file);
