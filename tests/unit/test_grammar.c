/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The command language: abbreviations, pairs in any order, completion, and what is refused. */
#include "support.h"

#include "base/macros.h"
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
	  {"watch", PAIR_FLAG, NULL},
	  {"plot", PAIR_FILE, "FILE.svg"}},
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
	{{"delete", "router", "R"}, {{0}}, nothing, "6"},
	{{"delete", "router", "R", "node", "N"}, {{0}}, nothing, "7"},
	{{"set", "router", "R", "node", "N"}, {{"asset-id", PAIR_VALUE, "A"}}, nothing, "8"},
	{{"set", "router", "R", "secret"}, {{0}}, nothing, "9"},
	{{"set", "router", "R", "secret", "S"}, {{0}}, nothing, "10"},
	{{"set", "router", "R", "system", "LEAF..."}, {{0}}, nothing, "11"},
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

static void test_places(void **state)
{
	static const struct {
		const char *line;
		const char *help; /* of the command meant */
		const char *word;
		const char *value;
	} rows[] = {
		{"delete router r1", "6", "R", "r1"},
		{"d r node", "6", "R", "node"}, /* a value is a value */
		{"delete router r1 node n1", "7", "N", "n1"},
		{"d r r1 n n1", "7", "R", "r1"},
		{"set router r1 node n1 asset-id A1", "8", "N", "n1"},
		{"se r r1 n n1 a A1", "8", "R", "r1"},
		{"set router r1 secret", "9", "R", "r1"}, /* its value may be missing */
		{"set router r1 sec abc", "10", "S", "abc"},
		{"set router r1 sy x", "11", "R", "r1"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct invocation invocation = {0};
		char buffer[256];
		char message[512] = "";
		char *words[16];
		unsigned n = split(rows[i].line, buffer, words);

		if (grammar_parse(&invocation, commands, N_ELEMENTS(commands), (int)n, words,
				  message, sizeof(message)) < 0)
			fail_msg("%s: %s", rows[i].line, message);
		assert_string_equal(invocation.command->help, rows[i].help);
		assert_string_equal(invocation_place(&invocation, rows[i].word), rows[i].value);
	}
}

static void test_the_rest(void **state)
{
	struct invocation invocation = {0};
	char buffer[256];
	char message[512] = "";
	char *words[16];
	unsigned n = split("set router r1 system download attempts 5", buffer, words);

	(void)state;
	assert_int_equal(grammar_parse(&invocation, commands, N_ELEMENTS(commands), (int)n, words,
				       message, sizeof(message)),
			 0);
	assert_int_equal(invocation.n_rest, 3);
	assert_string_equal(invocation.rest[0], "download");
	assert_string_equal(invocation.rest[2], "5");
}

/* The name of a file may follow, or the next pair. */
static void test_file_of_a_pair(void **state)
{
	static const struct {
		const char *line;
		const char *plot;
		const char *version;
	} rows[] = {
		{"plot", "plot", NULL},
		{"pl", "plot", NULL},
		{"plot a.svg", "a.svg", NULL},
		{"plot version.svg version V1", "version.svg", "V1"},
		{"plot version V1", "plot", "V1"},
		{"version a.svg plot", "plot", "a.svg"}, /* a value is a value */
		{"version V1 plot /tmp/a.svg watch", "/tmp/a.svg", "V1"},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct invocation invocation = {0};
		char line[256];
		char buffer[256];
		char message[512] = "";
		char *words[16];
		const char *version;
		unsigned n;

		(void)snprintf(line, sizeof(line), "show system software download %s",
			       rows[i].line);
		n = split(line, buffer, words);
		if (grammar_parse(&invocation, commands, N_ELEMENTS(commands), (int)n, words,
				  message, sizeof(message)) < 0)
			fail_msg("%s: %s", line, message);
		assert_string_equal(invocation_value(&invocation, "plot"), rows[i].plot);
		version = invocation_value(&invocation, "version");
		assert_int_equal(version == NULL, rows[i].version == NULL);
		if (version)
			assert_string_equal(version, rows[i].version);
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
		{"frobnicate",
		 "unknown word 'frobnicate', expected one of: show, request, delete, set"},
		{"show system software x", "expected one of: download, images"},
		{"show system x", "'x' is nothing that this command takes"},
		{"show system software download v V1", "ambiguous name 'v': version, verbose"},
		{"show system software download ver V1", "ambiguous name 'ver'"},
		{"request system software download", "'version V' is missing"},
		{"request system software download force", "'version V' is missing"},
		{"request system software download version", "'version' needs a value"},
		{"request system software download version A version B", "'version' stands twice"},
		{"request system software download force force version A", "'force' stands twice"},
		{"delete router", "not complete, expected: R"},
		{"set router r1", "not complete, expected: node, secret, system"},
		{"set router r1 s x", "ambiguous word 's': secret, system"},
		{"set router r1 system", "not complete, expected: LEAF..."},
		{"set router r1 node n1", "'asset-id A' is missing"},
		{"set router r1 secret abc x", "'x' is nothing that this command takes"},
		{"delete router r1 x", "'x' is nothing that this command takes"},
		{"show system software download plot a.png", "'a.png' is nothing"},
		{"show system software download plot .svg", "'.svg' is nothing"},
		{"show system software download plot a.svg b.svg", "'b.svg' is nothing"},
		{"show system software download plot plot", "'plot' stands twice"},
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

/* What it was given. */
static void say_rest(int n_words, char *const *words, FILE *out)
{
	for (int i = 0; i < n_words; i++)
		(void)fprintf(out, "%s%s", words[i], i + 1 < n_words ? "/" : "\n");
}

static void test_completion(void **state)
{
	static const struct {
		const char *line; /* '_' = nothing typed yet */
		const char *offered;
	} rows[] = {
		{"_", "show\nrequest\ndelete\nset\n"},
		{"sh", "show\n"},
		{"delete router _", ""}, /* a value */
		{"delete router r1 _", "node\n"},
		{"se r r1 _", "node\nsecret\nsystem\n"},
		{"set router r1 node n1 _", "asset-id\n"},
		{"set router r1 system _", "system/\n"},
		{"set router r1 system download att", "system/download/att\n"},
		{"show system _", "software\n"},
		{"sh sy so _", "download\nimages\n"},
		{"show system software download _", "version\nverbose\nwatch\nplot\n"},
		{"show system software download w", "watch\n"},
		{"show system software download watch _", "version\nverbose\nplot\n"},
		{"show system software download version _", ""}, /* a value */
		{"show system software download version V1 _", "verbose\nwatch\nplot\n"},
		{"show system software download plot _", "version\nverbose\nwatch\n"},
		{"show system software download plot a.svg w", "watch\n"},
		{"show system software download plot a.svg _", "version\nverbose\nwatch\n"},
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
		grammar_complete(commands, N_ELEMENTS(commands), (int)n, words, say_rest, out);
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
	assert_contains(text, "[version V] [verbose] [watch] [plot [FILE.svg]]\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed),         cmocka_unit_test(test_places),
		cmocka_unit_test(test_the_rest),       cmocka_unit_test(test_file_of_a_pair),
		cmocka_unit_test(test_refused),        cmocka_unit_test(test_completion),
		cmocka_unit_test(test_help_names_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
