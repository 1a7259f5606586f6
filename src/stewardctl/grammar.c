/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/grammar.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/macros.h"

static bool is_prefix(const char *typed, const char *word)
{
	return strncmp(typed, word, strlen(typed)) == 0;
}

static bool is_place(const char *word)
{
	return isupper((unsigned char)word[0]);
}

static bool takes_the_rest(const char *word)
{
	return strstr(word, "...") != NULL;
}

static unsigned count_words(const struct command *command)
{
	unsigned n = 0;

	while (command->words[n])
		n++;
	return n;
}

/* How far the typed words have led into the table: each as the table writes it. */
struct path {
	const struct command *commands;
	size_t n_commands;
	const char *words[WORDS_MAX];
	unsigned n;
};

static bool is_on_path(const struct command *command, const struct path *path)
{
	for (unsigned i = 0; i < path->n; i++)
		if (!command->words[i] || strcmp(command->words[i], path->words[i]) != 0)
			return false;
	return true;
}

/* The word that follows the path in the command at index i. NULL: the command ends there, or it
 * is not on the path. */
static const char *next_word(const struct path *path, size_t i)
{
	const struct command *command = &path->commands[i];

	return is_on_path(command, path) ? command->words[path->n] : NULL;
}

/* The command that ends where the path ends. */
static const struct command *find_command(const struct path *path)
{
	for (size_t i = 0; i < path->n_commands; i++)
		if (count_words(&path->commands[i]) == path->n &&
		    is_on_path(&path->commands[i], path))
			return &path->commands[i];
	return NULL;
}

static bool is_listed(const char *list, const char *word)
{
	const char *at = strstr(list, word);
	size_t length = strlen(word);

	return at && (at == list || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0');
}

/* Returns whether the word is new in the list. */
static bool add_to_list(char *list, size_t size, const char *word)
{
	size_t used = strlen(list);

	if (is_listed(list, word))
		return false;
	(void)snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
	return true;
}

/* What a typed word can mean. The members are words of the table; NULL = none. */
struct meaning {
	const char *same;       /* the typed word itself */
	const char *longer;     /* a word that the typed one abbreviates */
	unsigned n_longer;      /* how many different ones there are */
	const char *place;      /* a place, where any value may stand */
	char all_longer[256];   /* for a message */
	char all_expected[512]; /* likewise: all that may follow the path */
};

static void compare_word(struct meaning *m, const char *typed, const char *word)
{
	(void)add_to_list(m->all_expected, sizeof(m->all_expected), word);
	if (is_place(word)) {
		m->place = word;
	} else if (strcmp(typed, word) == 0) {
		m->same = word;
	} else if (is_prefix(typed, word)) {
		m->longer = word;
		m->n_longer += add_to_list(m->all_longer, sizeof(m->all_longer), word) ? 1 : 0;
	}
}

/* Which word of the table is meant? A whole word goes before an abbreviation, and that before a
 * place. NULL, with message filled, if none or several are possible. */
static const char *resolve_word(const struct path *path, const char *typed, char *message,
				size_t message_size)
{
	struct meaning m = {0};

	for (size_t i = 0; i < path->n_commands; i++) {
		const char *word = next_word(path, i);

		if (word)
			compare_word(&m, typed, word);
	}
	if (m.same)
		return m.same;
	if (m.n_longer == 1)
		return m.longer;
	if (m.n_longer == 0 && m.place)
		return m.place;
	if (m.n_longer > 1)
		(void)snprintf(message, message_size, "ambiguous word '%s': %s", typed,
			       m.all_longer);
	else
		(void)snprintf(message, message_size, "unknown word '%s', expected one of: %s",
			       typed, m.all_expected);
	return NULL;
}

/* Can this word be the next of a longer command? */
static bool leads_on(const struct path *path, const char *typed)
{
	for (size_t i = 0; i < path->n_commands; i++) {
		const char *word = next_word(path, i);

		if (word && (is_place(word) || is_prefix(typed, word)))
			return true;
	}
	return false;
}

static int find_pair(const struct command *command, const char *typed, char *message,
		     size_t message_size)
{
	int found = -1;
	char names[256] = "";

	for (int i = 0; command->pairs[i].kind != PAIR_END; i++) {
		const char *name = command->pairs[i].name;

		if (strcmp(typed, name) == 0)
			return i;
		if (!is_prefix(typed, name))
			continue;
		add_to_list(names, sizeof(names), name);
		found = found == -1 ? i : -2;
	}
	if (found == -2)
		(void)snprintf(message, message_size, "ambiguous name '%s': %s", typed, names);
	if (found == -1)
		(void)snprintf(message, message_size, "'%s' is nothing that this command takes",
			       typed);
	return found;
}

/* Is this the file that may follow the pair's name? */
static bool is_its_file(const struct pair *pair, const char *typed)
{
	const char *ending = strrchr(pair->placeholder, '.');
	const size_t length = strlen(typed);

	assert(ending);
	return length > strlen(ending) && strcmp(typed + length - strlen(ending), ending) == 0;
}

/* Does the pair's name stand alone here? next: the word that follows, NULL = none. */
static bool stands_alone(const struct pair *pair, const char *next)
{
	if (pair->kind == PAIR_FILE)
		return !next || !is_its_file(pair, next);
	return pair->kind == PAIR_FLAG;
}

static int parse_pairs(struct invocation *ret, int n_words, char *const *words, char *message,
		       size_t message_size)
{
	const struct command *command = ret->command;

	for (int i = 0; i < n_words; i++) {
		int pair = find_pair(command, words[i], message, message_size);

		if (pair < 0)
			return -1;
		if (ret->values[pair]) {
			(void)snprintf(message, message_size, "'%s' stands twice",
				       command->pairs[pair].name);
			return -1;
		}
		if (stands_alone(&command->pairs[pair], i + 1 < n_words ? words[i + 1] : NULL)) {
			ret->values[pair] = command->pairs[pair].name;
			continue;
		}
		if (++i == n_words) {
			(void)snprintf(message, message_size, "'%s' needs a value",
				       command->pairs[pair].name);
			return -1;
		}
		ret->values[pair] = words[i];
	}
	for (int i = 0; command->pairs[i].kind != PAIR_END; i++) {
		if (command->pairs[i].kind == PAIR_VALUE && !ret->values[i]) {
			(void)snprintf(message, message_size, "'%s %s' is missing",
				       command->pairs[i].name, command->pairs[i].placeholder);
			return -1;
		}
	}
	return 0;
}

static int say_what_follows(const struct path *path, char *message, size_t message_size)
{
	char possible[512] = "";

	for (size_t i = 0; i < path->n_commands; i++) {
		const char *word = next_word(path, i);

		if (word)
			(void)add_to_list(possible, sizeof(possible), word);
	}
	(void)snprintf(message, message_size, "the command is not complete, expected: %s",
		       possible);
	return -1;
}

/* Is the last word of the path a place that takes all that follows? */
static bool ends_in_rest(const struct path *path)
{
	return path->n > 0 && takes_the_rest(path->words[path->n - 1]);
}

/* Follow the typed words through the table, as far as there are words of a command. */
static int follow_words(struct path *path, struct invocation *ret, int n_words, char *const *words,
			char *message, size_t message_size)
{
	while (path->n < WORDS_MAX && (int)path->n < n_words && !ends_in_rest(path)) {
		const char *typed = words[path->n];
		const char *word;

		if (find_command(path) && !leads_on(path, typed))
			return 0;
		word = resolve_word(path, typed, message, message_size);
		if (!word)
			return -1;
		if (is_place(word))
			ret->places[path->n] = typed;
		path->words[path->n++] = word;
	}
	return 0;
}

int grammar_parse(struct invocation *ret, const struct command *commands, size_t n_commands,
		  int n_words, char *const *words, char *message, size_t message_size)
{
	struct path path = {.commands = commands, .n_commands = n_commands};

	assert(commands);
	if (follow_words(&path, ret, n_words, words, message, message_size) < 0)
		return -1;
	ret->command = find_command(&path);
	if (!ret->command)
		return say_what_follows(&path, message, message_size);
	if (ends_in_rest(&path)) {
		ret->rest = words + path.n - 1;
		ret->n_rest = n_words - (int)path.n + 1;
		return 0;
	}
	return parse_pairs(ret, n_words - (int)path.n, words + path.n, message, message_size);
}

const char *invocation_value(const struct invocation *invocation, const char *name)
{
	for (int i = 0; invocation->command->pairs[i].kind != PAIR_END; i++)
		if (strcmp(invocation->command->pairs[i].name, name) == 0)
			return invocation->values[i];
	return NULL;
}

const char *invocation_place(const struct invocation *invocation, const char *word)
{
	for (int i = 0; invocation->command->words[i]; i++)
		if (strcmp(invocation->command->words[i], word) == 0)
			return invocation->places[i];
	assert(!"the command has this place");
	return NULL;
}

static void print_usage(const struct command *command, FILE *out)
{
	(void)fputs("  stewardctl", out);
	for (int i = 0; command->words[i]; i++)
		(void)fprintf(out, " %s", command->words[i]);
	for (int i = 0; command->pairs[i].kind != PAIR_END; i++) {
		const struct pair *pair = &command->pairs[i];

		if (pair->kind == PAIR_VALUE)
			(void)fprintf(out, " %s %s", pair->name, pair->placeholder);
		else if (pair->kind == PAIR_OPTIONAL)
			(void)fprintf(out, " [%s %s]", pair->name, pair->placeholder);
		else if (pair->kind == PAIR_FILE)
			(void)fprintf(out, " [%s [%s]]", pair->name, pair->placeholder);
		else
			(void)fprintf(out, " [%s]", pair->name);
	}
	(void)fprintf(out, "\n      %s\n", command->help);
}

void grammar_help(const struct command *commands, size_t n_commands, FILE *out)
{
	(void)fputs("usage: stewardctl [--json] [--socket PATH] COMMAND\n\n", out);
	for (size_t i = 0; i < n_commands; i++)
		print_usage(&commands[i], out);
	(void)fputs("\nWords may be abbreviated.\n", out);
}

static void complete_pairs(const struct command *command, int n_words, char *const *words,
			   FILE *out)
{
	struct invocation so_far = {.command = command};
	char message[256];
	int last = n_words - 1;

	/* A value is being typed, which the shell completes (names of files). */
	for (int i = 0; i < last; i++) {
		int pair = find_pair(command, words[i], message, sizeof(message));

		if (pair < 0)
			return;
		so_far.values[pair] = words[i];
		if (!stands_alone(&command->pairs[pair], words[i + 1]) && ++i == last)
			return;
	}
	for (int i = 0; command->pairs[i].kind != PAIR_END; i++)
		if (!so_far.values[i] && is_prefix(words[last], command->pairs[i].name))
			(void)fprintf(out, "%s\n", command->pairs[i].name);
}

/* Follow all words but the last, which is still being typed. Stops before a place that takes the
 * rest, and where a word is none of the table's. */
static void follow_finished_words(struct path *path, int n_words, char *const *words)
{
	char message[256];

	while (path->n < WORDS_MAX && (int)path->n < n_words - 1) {
		const char *word = resolve_word(path, words[path->n], message, sizeof(message));

		if (!word || takes_the_rest(word))
			return;
		path->words[path->n++] = word;
	}
}

static void complete_word(const struct path *path, const char *typed, FILE *out)
{
	char printed[512] = "";

	for (size_t i = 0; i < path->n_commands; i++) {
		const char *word = next_word(path, i);

		if (word && !is_place(word) && is_prefix(typed, word) &&
		    add_to_list(printed, sizeof(printed), word))
			(void)fprintf(out, "%s\n", word);
	}
}

static bool may_take_the_rest(const struct path *path)
{
	for (size_t i = 0; i < path->n_commands; i++) {
		const char *word = next_word(path, i);

		if (word && takes_the_rest(word))
			return true;
	}
	return false;
}

void grammar_complete(const struct command *commands, size_t n_commands, int n_words,
		      char *const *words, grammar_rest_cb rest, FILE *out)
{
	struct path path = {.commands = commands, .n_commands = n_commands};
	const struct command *command;

	follow_finished_words(&path, n_words, words);
	if ((int)path.n == n_words - 1)
		complete_word(&path, words[path.n], out);
	if (rest && path.n > 0 && may_take_the_rest(&path))
		rest(n_words - (int)path.n + 1, words + path.n - 1, out);
	command = find_command(&path);
	if (command)
		complete_pairs(command, n_words - (int)path.n, words + path.n, out);
}
