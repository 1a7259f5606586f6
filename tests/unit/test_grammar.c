/* The command language: abbreviations, pairs in any order, completion, and what is refused. */
#include "support.h"

#include "core/macros.h"
#include "stewardctl/grammar.h"

static int nothing(const struct invocation *invocation)
{
	(void)invocation;
	return 0;
}

static const struct command commands[] = {
	{{"show", "system"}, {{0}}, nothing, "1"},
	{{"show", "system", "software", "download"},
	 {{"version", PAIR_OPTIONAL, "V"},
	  {"verbose", PAIR_FLAG, NULL},
	  {"watch", PAIR_FLAG, NULL}},
	 nothing,
	 "2"},
	{{"show", "system", "software", "images"}, {{0}}, nothing, "3"},
	{{"request", "system", "software", "download"},
	 {{"version", PAIR_VALUE, "V"}, {"force", PAIR_FLAG, NULL}},
	 nothing,
	 "4"},
	{{"request", "system", "software", "download", "pause"},
	 {{"version", PAIR_VALUE, "V"}},
	 nothing,
	 "5"},
};

static unsigned split(const char *line, char *buffer, char **words)
{
	unsigned n = 0;

	(void)strcpy(buffer, line);
	for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	return n;
}

static void test_parsed(void **state)
{
	static const struct {
		const char *line;
		const char *help; /* of the command meant */
		const char *version;
		bool flag; /* its last one */
	} rows[] = {
		{"show system", "1", NULL, false},
		{"sh sy", "1", NULL, false},
		{"show system software download", "2", NULL, false},
		{"sh sys so d version V1", "2", "V1", false},
		{"sh sys so d watch version V1", "2", "V1", true}, /* any order */
		{"sh sys so i", "3", NULL, false},
		{"req sys soft down version V1", "4", "V1", false},
		{"req sys soft down force vers V1", "4", "V1", true},
		{"req sys soft down version force", "4", "force", false}, /* a value is a value */
		{"req sys soft down pause version V1", "5", "V1", false},
		{"req sys soft down p v V1", "5", "V1", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct invocation invocation = {0};
		char buffer[256];
		char message[512] = "";
		char *words[16];
		unsigned n = split(rows[i].line, buffer, words);
		const char *version;

		if (grammar_parse(&invocation, commands, N_ELEMENTS(commands), (int)n, words,
				  message, sizeof(message)) < 0)
			fail_msg("%s: %s", rows[i].line, message);
		assert_string_equal(invocation.command->help, rows[i].help);
		version = invocation_value(&invocation, "version");
		assert_int_equal(version == NULL, rows[i].version == NULL);
		if (version)
			assert_string_equal(version, rows[i].version);
		assert_int_equal(invocation_value(&invocation, "watch") ||
					 invocation_value(&invocation, "force"),
				 rows[i].flag);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} rows[] = {
		{"", "not complete"},
		{"show", "not complete"},
		{"show system software", "not complete"},
		{"frobnicate", "unknown word 'frobnicate', expected one of: show, request"},
		{"show system software x", "expected one of: download, images"},
		{"show system x", "'x' is nothing that this command takes"},
		{"show system software download v V1", "ambiguous name 'v': version, verbose"},
		{"show system software download ver V1", "ambiguous name 'ver'"},
		{"request system software download", "'version V' is missing"},
		{"request system software download force", "'version V' is missing"},
		{"request system software download version", "'version' needs a value"},
		{"request system software download version A version B", "'version' stands twice"},
		{"request system software download force force version A", "'force' stands twice"},
		{"show system software images V1", "'V1' is nothing that this command takes"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct invocation invocation = {0};
		char buffer[256];
		char message[512] = "";
		char *words[16];
		unsigned n = split(rows[i].line, buffer, words);

		assert_int_equal(grammar_parse(&invocation, commands, N_ELEMENTS(commands), (int)n,
					       words, message, sizeof(message)),
				 -1);
		assert_contains(message, rows[i].message);
	}
}

static void test_completion(void **state)
{
	static const struct {
		const char *line; /* '_' = nothing typed yet */
		const char *offered;
	} rows[] = {
		{"_", "show\nrequest\n"},
		{"s", "show\n"},
		{"show system _", "software\n"},
		{"sh sy so _", "download\nimages\n"},
		{"show system software download _", "version\nverbose\nwatch\n"},
		{"show system software download w", "watch\n"},
		{"show system software download watch _", "version\nverbose\n"},
		{"show system software download version _", ""}, /* a value */
		{"show system software download version V1 _", "verbose\nwatch\n"},
		{"request system software download _", "pause\nversion\nforce\n"},
		{"nonsense _", ""},
		{"x", ""},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char buffer[256];
		char *words[16];
		unsigned n = split(rows[i].line, buffer, words);
		char *offered = NULL;
		size_t size;
		FILE *out = open_memstream(&offered, &size);

		if (strcmp(words[n - 1], "_") == 0)
			words[n - 1][0] = '\0';
		grammar_complete(commands, N_ELEMENTS(commands), (int)n, words, out);
		(void)fclose(out);
		if (strcmp(offered, rows[i].offered) != 0)
			fail_msg("%s: offered %s", rows[i].line, offered);
		free(offered);
	}
}

static void test_help_names_all(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	grammar_help(commands, N_ELEMENTS(commands), out);
	(void)fclose(out);
	assert_contains(text, "stewardctl request system software download version V [force]\n");
	assert_contains(text, "[version V] [verbose] [watch]");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_completion),
		cmocka_unit_test(test_help_names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
