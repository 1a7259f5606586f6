/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words on the command line, one a line of the input: parsed, and completed. */
#include "fuzz.h"

#include "stewardctl/commands.h"
#include "stewardctl/grammar.h"

#define WORDS 32

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_string(bytes, size);
	char *rest = text;
	char *words[WORDS];
	struct invocation invocation = {0};
	char message[256] = "";
	char *offered = NULL;
	size_t offered_size;
	FILE *out = open_memstream(&offered, &offered_size);
	int n = 0;

	HOLDS(out);
	while (n < WORDS && rest)
		words[n++] = strsep(&rest, "\n");
	if (grammar_parse(&invocation, commands, n_commands, n, words, message, sizeof(message)) ==
	    0) {
		HOLDS(invocation.command->run);
		for (int i = 0; invocation.command->pairs[i].kind != PAIR_END; i++)
			HOLDS(invocation.command->pairs[i].kind != PAIR_VALUE ||
			      invocation.values[i]);
	} else {
		HOLDS(message[0]);
	}
	grammar_complete(commands, n_commands, n, words, NULL, out);
	(void)fclose(out);
	free(offered);
	free(text);
	return 0;
}
