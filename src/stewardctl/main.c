/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stewardctl - the command line of Steward. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic_file.h"
#include "config/config_edit.h"
#include "stewardctl/client.h"
#include "stewardctl/commands.h"

static int usage_error(const char *message)
{
	(void)fprintf(stderr, "stewardctl: %s\nSee stewardctl --help.\n", message);
	return EXIT_USAGE;
}

/* Options stand before the command. Returns how many words they took, or -1. */
static int take_options(struct invocation *invocation, int n, char **words)
{
	int i = 0;

	for (; i < n && strncmp(words[i], "--", 2) == 0; i++) {
		if (strcmp(words[i], "--json") == 0)
			invocation->json = true;
		else if (strcmp(words[i], "--socket") == 0 && i + 1 < n)
			invocation->socket = words[++i];
		else if (strcmp(words[i], "--config") == 0 && i + 1 < n)
			invocation->config = words[++i];
		else
			return -1;
	}
	return i;
}

/* After "router" a name may follow, which is not known here, or labels. */
static void complete_selector(int n_words, char *const *words, FILE *out)
{
	const char *typed = words[n_words - 1];

	if (n_words % 3 == 2 && (n_words == 2 || strcmp(words[n_words - 4], "label") == 0) &&
	    strncmp("label", typed, strlen(typed)) == 0)
		(void)fputs("label\n", out);
}

static void complete_rest(int n_words, char *const *words, FILE *out)
{
	if (strncmp("router", words[0], strlen(words[0])) == 0) {
		complete_selector(n_words, words, out);
		return;
	}
	config_edit_complete((size_t)n_words, (const char *const *)words, out);
}

int main(int argc, char **argv)
{
	struct invocation invocation = {0};
	char message[512];
	int options;

	(void)setlocale(LC_ALL, "");
	/* A file that is named on the command line is meant, whoever owns it. */
	file_accept_any_owner();
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		(void)printf("stewardctl %s\n", STEWARD_VERSION);
		return EXIT_DONE;
	}
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		grammar_help(commands, n_commands, stdout);
		return EXIT_DONE;
	}
	if (argc > 2 && strcmp(argv[1], "--complete") == 0) {
		grammar_complete(commands, n_commands, argc - 2, argv + 2, complete_rest, stdout);
		return EXIT_DONE;
	}
	options = take_options(&invocation, argc - 1, argv + 1);
	if (options < 0)
		return usage_error(
			"an option that is not known, or a --socket or --config without a path");
	if (grammar_parse(&invocation, commands, n_commands, argc - 1 - options, argv + 1 + options,
			  message, sizeof(message)) < 0)
		return usage_error(message);
	return invocation.command->run(&invocation);
}
