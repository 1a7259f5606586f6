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

/* Does the command begin with the first n words as they were resolved? */
static bool begins_with(const struct command *command, const char *const *resolved, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!command->words[i] || strcmp(command->words[i], resolved[i]) != 0)
			return false;
	return true;
}

static bool is_listed(const char *list, const char *word)
{
	const char *at = strstr(list, word);
	size_t length = strlen(word);

	return at && (at == list || at[-1] == ' ') && (at[length] == ',' || at[length] == '\0');
}

static void add_to_list(char *list, size_t size, const char *word)
{
	size_t used = strlen(list);

	if (!is_listed(list, word))
		(void)snprintf(list + used, size - used, "%s%s", used ? ", " : "", word);
}

/* Which word at position n is meant? NULL with message filled if none or several. */
static const char *resolve_word(const struct command *commands, size_t n_commands,
				const char *const *resolved, unsigned n, const char *typed,
				char *message, size_t message_size)
{
	const char *found = NULL;
	const char *place = NULL;
	bool ambiguous = false;
	char fitting[256] = "";
	char possible[512] = "";

	for (size_t i = 0; i < n_commands; i++) {
		const char *word = commands[i].words[n];

		if (!begins_with(&commands[i], resolved, n) || !word)
			continue;
		add_to_list(possible, sizeof(possible), word);
		if (is_place(word)) {
			place = word;
			continue;
		}
		if (strcmp(typed, word) == 0)
			return word;
		if (!is_prefix(typed, word))
			continue;
		ambiguous |= found && strcmp(found, word) != 0;
		found = word;
		add_to_list(fitting, sizeof(fitting), word);
	}
	if (found && !ambiguous)
		return found;
	if (place && !found)
		return place;
	if (found)
		(void)snprintf(message, message_size, "ambiguous word '%s': %s", typed, fitting);
	else
		(void)snprintf(message, message_size, "unknown word '%s', expected one of: %s",
			       typed, possible);
	return NULL;
}

static const struct command *find_command(const struct command *commands, size_t n_commands,
					  const char *const *resolved, unsigned n)
{
	for (size_t i = 0; i < n_commands; i++)
		if (count_words(&commands[i]) == n && begins_with(&commands[i], resolved, n))
			return &commands[i];
	return NULL;
}

/* Could one more word follow? */
static bool is_longer_command(const struct command *commands, size_t n_commands,
			      const char *const *resolved, unsigned n, const char *typed)
{
	for (size_t i = 0; i < n_commands; i++)
		if (begins_with(&commands[i], resolved, n) && commands[i].words[n] &&
		    (is_place(commands[i].words[n]) || is_prefix(typed, commands[i].words[n])))
			return true;
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
		if (command->pairs[pair].kind == PAIR_FLAG) {
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

static int say_what_follows(const struct command *commands, size_t n_commands,
			    const char *const *resolved, unsigned n, char *message,
			    size_t message_size)
{
	char possible[512] = "";

	for (size_t i = 0; i < n_commands; i++)
		if (begins_with(&commands[i], resolved, n) && commands[i].words[n])
			add_to_list(possible, sizeof(possible), commands[i].words[n]);
	(void)snprintf(message, message_size, "the command is not complete, expected: %s",
		       possible);
	return -1;
}

int grammar_parse(struct invocation *ret, const struct command *commands, size_t n_commands,
		  int n_words, char *const *words, char *message, size_t message_size)
{
	const char *resolved[WORDS_MAX];
	unsigned n = 0;

	assert(commands);
	while (n < WORDS_MAX && (int)n < n_words) {
		const struct command *whole = find_command(commands, n_commands, resolved, n);

		if (whole && !is_longer_command(commands, n_commands, resolved, n, words[n]))
			break;
		resolved[n] = resolve_word(commands, n_commands, resolved, n, words[n], message,
					   message_size);
		if (!resolved[n])
			return -1;
		if (is_place(resolved[n]))
			ret->places[n] = words[n];
		n++;
		if (takes_the_rest(resolved[n - 1]))
			break;
	}
	ret->command = find_command(commands, n_commands, resolved, n);
	if (!ret->command)
		return say_what_follows(commands, n_commands, resolved, n, message, message_size);
	if (n > 0 && takes_the_rest(resolved[n - 1])) {
		ret->rest = words + n - 1;
		ret->n_rest = n_words - (int)n + 1;
		return 0;
	}
	return parse_pairs(ret, n_words - (int)n, words + n, message, message_size);
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

	/* A value is being typed: that is for the shell. */
	for (int i = 0; i < last; i++) {
		int pair = find_pair(command, words[i], message, sizeof(message));

		if (pair < 0)
			return;
		so_far.values[pair] = words[i];
		if (command->pairs[pair].kind != PAIR_FLAG && ++i == last)
			return;
	}
	for (int i = 0; command->pairs[i].kind != PAIR_END; i++)
		if (!so_far.values[i] && is_prefix(words[last], command->pairs[i].name))
			(void)fprintf(out, "%s\n", command->pairs[i].name);
}

void grammar_complete(const struct command *commands, size_t n_commands, int n_words,
		      char *const *words, grammar_rest_cb rest, FILE *out)
{
	const char *resolved[WORDS_MAX];
	char message[256];
	char printed[512] = "";
	unsigned n = 0;

	while (n < WORDS_MAX && (int)n < n_words - 1) {
		const char *word = resolve_word(commands, n_commands, resolved, n, words[n],
						message, sizeof(message));

		if (!word || takes_the_rest(word))
			break;
		resolved[n++] = word;
	}
	if ((int)n == n_words - 1 && n < WORDS_MAX) {
		for (size_t i = 0; i < n_commands; i++)
			if (begins_with(&commands[i], resolved, n) && commands[i].words[n] &&
			    !is_place(commands[i].words[n]) &&
			    is_prefix(words[n], commands[i].words[n]))
				add_to_list(printed, sizeof(printed), commands[i].words[n]);
		for (char *at = strtok(printed, ", "); at; at = strtok(NULL, ", "))
			(void)fprintf(out, "%s\n", at);
	}
	for (size_t i = 0; rest && i < n_commands; i++)
		if (n > 0 && begins_with(&commands[i], resolved, n) && commands[i].words[n] &&
		    takes_the_rest(commands[i].words[n]))
			rest(n_words - (int)n + 1, words + n - 1, out);
	for (size_t i = 0; i < n_commands; i++)
		if (count_words(&commands[i]) == n && begins_with(&commands[i], resolved, n))
			complete_pairs(&commands[i], n_words - (int)n, words + n, out);
}
