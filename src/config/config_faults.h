/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_faults.h - all that is wrong with a configuration, so that it is told at once; for
 * config.c and what it is made of.
 *
 * An operator who mends one fault is not to be told of the next by the next try. Values that are
 * refused are left out of the tree, so that the rest can be judged. What the model says of a value
 * that was left out is no further fault: a source whose url is refused does not lack a url.
 *
 * Calling sequence: {} -> config_faults_in -> config_faults_add ... -> config_faults_tell ->
 * config_faults_release.
 */
#pragma once

#include <libyang/libyang.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

#define CONFIG_FAULTS_MAX 64u

struct config_fault {
	char *text;                     /* without what may be a password */
	char *path;                     /* of what was left out of the tree; NULL = nothing was */
	const struct lysc_node *schema; /* of what was left out */
};

/* An entry of a list whose key is refused or missing. It is in the tree with a key of ours. */
struct config_renamed {
	char *path;
	char *shown; /* with its position in place of the key */
};

struct config_faults {
	const char *file; /* they are in this one; NULL = it was named already */
	unsigned n;       /* more than CONFIG_FAULTS_MAX: those are not kept */
	struct config_fault faults[CONFIG_FAULTS_MAX];
	unsigned n_renamed; /* each is a fault, too */
	struct config_renamed renamed[CONFIG_FAULTS_MAX];
	unsigned n_told;
};

/* What is added from now on is in that file. It is borrowed. */
void config_faults_in(struct config_faults *faults, const char *file);

/* One more. Queries of URLs in it are hidden. */
void config_faults_add(struct config_faults *faults, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The last fault is why path was left out. */
void config_faults_left_out(struct config_faults *faults, const char *path,
			    const struct lysc_node *schema);
/* How many values with this path were left out? */
unsigned config_faults_count_left_out(const struct config_faults *faults, const char *path);

void config_faults_rename(struct config_faults *faults, const char *path, const char *shown);
/* A node's path as an operator knows it. The caller frees it; NULL = out of memory. */
char *config_faults_path(const struct config_faults *faults, const struct lyd_node *node);

bool config_faults_full(const struct config_faults *faults);

/* Fill err with as many as it has room for, and how many more there are. -EINVAL. */
int config_faults_tell(struct config_faults *faults, struct err *err);
/* Those that it had no room for, a line each. */
void config_faults_print_untold(const struct config_faults *faults, FILE *out);

void config_faults_release(struct config_faults *faults);
