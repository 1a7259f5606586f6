/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_faults.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "base/url_query.h"

#define MORE_SIZE 160 /* for "; and N more", and for what callers put in front */

void config_faults_in(struct config_faults *faults, const char *file)
{
	faults->file = file;
}

void config_faults_add(struct config_faults *faults, const char *format, ...)
{
	char *raw = NULL;
	char *text = NULL;
	va_list arguments;

	if (faults->n++ >= CONFIG_FAULTS_MAX)
		return;
	va_start(arguments, format);
	if (vasprintf(&raw, format, arguments) < 0)
		raw = NULL;
	va_end(arguments);
	if (raw && faults->file && asprintf(&text, "%s: %s", faults->file, raw) < 0)
		text = NULL;
	faults->file = NULL;
	faults->faults[faults->n - 1].text = url_queries_hide(text ? text : raw ? raw : "refused");
	free(raw);
	free(text);
}

void config_faults_left_out(struct config_faults *faults, const char *path,
			    const struct lysc_node *schema)
{
	struct config_fault *last = &faults->faults[faults->n - 1];

	if (faults->n > CONFIG_FAULTS_MAX)
		return;
	last->path = strdup(path);
	last->schema = last->path ? schema : NULL;
}

unsigned config_faults_count_left_out(const struct config_faults *faults, const char *path)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MIN(faults->n, CONFIG_FAULTS_MAX); i++)
		if (faults->faults[i].path && strcmp(faults->faults[i].path, path) == 0)
			n++;
	return n;
}

void config_faults_rename(struct config_faults *faults, const char *path, const char *shown)
{
	struct config_renamed *renamed;

	if (faults->n_renamed == CONFIG_FAULTS_MAX)
		return;
	renamed = &faults->renamed[faults->n_renamed];
	renamed->path = strdup(path);
	renamed->shown = strdup(shown);
	if (renamed->path && renamed->shown) {
		faults->n_renamed++;
		return;
	}
	free(renamed->path);
	free(renamed->shown);
}

char *config_faults_path(const struct config_faults *faults, const struct lyd_node *node)
{
	char *path = lyd_path(node, LYD_PATH_STD, NULL, 0);

	for (unsigned i = 0; path && i < faults->n_renamed; i++) {
		const struct config_renamed *renamed = &faults->renamed[i];
		size_t length = strlen(renamed->path);
		char *shown = NULL;

		if (strncmp(path, renamed->path, length) != 0)
			continue;
		if (asprintf(&shown, "%s%s", renamed->shown, path + length) < 0)
			shown = NULL;
		free(path);
		return shown;
	}
	return path;
}

bool config_faults_full(const struct config_faults *faults)
{
	return faults->n >= CONFIG_FAULTS_MAX;
}

int config_faults_tell(struct config_faults *faults, struct err *err)
{
	unsigned n_kept = MIN(faults->n, CONFIG_FAULTS_MAX);
	char all[ERR_TEXT_SIZE] = "";
	size_t used = 0;
	unsigned n;

	for (n = 0; n < n_kept; n++) {
		const char *text = faults->faults[n].text ? faults->faults[n].text : "refused";

		if (n > 0 && used + strlen(text) + MORE_SIZE > sizeof(all))
			break;
		(void)snprintf(all + used, sizeof(all) - used, "%s%s", n > 0 ? "; " : "", text);
		used = strlen(all);
	}
	faults->n_told = n;
	if (faults->n > n)
		(void)snprintf(all + used, sizeof(all) - used, "; and %s%u more",
			       config_faults_full(faults) ? "at least " : "", faults->n - n);
	return err_set(err, -EINVAL, "%s", all);
}

void config_faults_print_untold(const struct config_faults *faults, FILE *out)
{
	for (unsigned i = faults->n_told; i < MIN(faults->n, CONFIG_FAULTS_MAX); i++) {
		char shown[ERR_TEXT_SIZE];

		printable_copy(faults->faults[i].text ? faults->faults[i].text : "refused", shown,
			       sizeof(shown));
		(void)fprintf(out, "%s\n", shown);
	}
	if (config_faults_full(faults))
		(void)fprintf(out, "There may be more: after so many nothing else is looked at.\n");
}

void config_faults_release(struct config_faults *faults)
{
	for (unsigned i = 0; i < MIN(faults->n, CONFIG_FAULTS_MAX); i++) {
		free(faults->faults[i].text);
		free(faults->faults[i].path);
	}
	for (unsigned i = 0; i < faults->n_renamed; i++) {
		free(faults->renamed[i].path);
		free(faults->renamed[i].shown);
	}
}
