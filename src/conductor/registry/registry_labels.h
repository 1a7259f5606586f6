/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_labels.h - labels by which an operator finds routers: site=emea, ring=first.
 *
 * A router has at most REGISTRY_LABELS_MAX of them, each name once. Names and values are 1 to 63
 * letters, digits, dots, dashes or underscores, so that they need no quotes anywhere.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "conductor/registry/registry.h"
#include "onboarding/token.h"

#define REGISTRY_LABELS_MAX 32

struct registry_label {
	char router[TOKEN_NAME_SIZE];
	char name[TOKEN_NAME_SIZE];
	char value[TOKEN_NAME_SIZE];
};

/* Configuring a router makes it, if it is not there yet. A label that it has gets the new value.
 * -EINVAL: a name or value that nothing can have; -EDQUOT: it has as many as it may. */
int registry_label_set(struct registry *r, const struct registry_label *label,
		       const struct registry_origin *origin, struct err *err);

/* -ENOENT: there is no such router, or it has no such label. */
int registry_label_delete(struct registry *r, const char *router, const char *name,
			  const struct registry_origin *origin, struct err *err);

/* Those of the routers from first to last, by router and then by name; freed with free(). */
int registry_labels_between(struct registry *r, const char *first, const char *last,
			    struct registry_label **ret, size_t *ret_n, struct err *err);

/* Pure: are all that are wanted among a router's labels? What is wanted names no router. */
bool registry_labels_hold(const struct registry_label *wanted, size_t n_wanted,
			  const struct registry_label *labels, size_t n);
