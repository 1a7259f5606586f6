/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <sysexits.h>

static const struct option common[] = {
	{"config", required_argument, NULL, 'c'}, {"foreground", no_argument, NULL, 'f'},
	{"check", no_argument, NULL, 'k'},        {"version", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
};
#define N_COMMON   (sizeof(common) / sizeof(common[0]))
#define FIRST_MORE 256 /* no short option has this value */

static void print_usage(const struct options_program *program, FILE *out)
{
	(void)fprintf(out,
		      "usage: %s [option...]\n"
		      "\n"
		      "  --config FILE  the configuration (default %s)\n"
		      "  --foreground   log to stderr\n"
		      "  --check        validate the configuration and exit\n",
		      program->name, program->config);
	for (size_t i = 0; i < program->n_more; i++)
		if (program->more[i].help)
			(void)fprintf(out, "  %s\n", program->more[i].help);
	(void)fputs("  --version      print the version and exit\n"
		    "  --help         print this and exit\n",
		    out);
}

static void list_known(const struct options_program *program, struct option *ret)
{
	size_t n = 0;

	for (; n < N_COMMON; n++)
		ret[n] = common[n];
	for (size_t i = 0; i < program->n_more; i++)
		ret[n++] = (struct option){
			.name = program->more[i].name,
			.has_arg = program->more[i].value ? required_argument : no_argument,
			.val = FIRST_MORE + (int)i,
		};
	ret[n] = (struct option){0};
}

static void take_more(const struct options_more *more, const char *value)
{
	if (more->value)
		*more->value = value;
	else
		*more->flag = true;
}

int options_parse(struct options *ret, const struct options_program *program, int argc, char **argv)
{
	struct options options = {.config = program->config};
	struct option known[N_COMMON + OPTIONS_MORE_MAX + 1];
	int option;

	assert(program->n_more <= OPTIONS_MORE_MAX);
	list_known(program, known);
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (option) {
		case 'c':
			options.config = optarg;
			break;
		case 'f':
			options.foreground = true;
			break;
		case 'k':
			options.check = true;
			break;
		case 'v':
			(void)printf("%s %s\n", program->name, STEWARD_VERSION);
			return EX_OK;
		case 'h':
			print_usage(program, stdout);
			return EX_OK;
		case '?':
			print_usage(program, stderr);
			return EX_USAGE;
		default:
			take_more(&program->more[option - FIRST_MORE], optarg);
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "%s: what is '%s'?\n", program->name, argv[optind]);
		print_usage(program, stderr);
		return EX_USAGE;
	}
	*ret = options;
	return -1;
}
