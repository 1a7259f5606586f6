/* SPDX-License-Identifier: GPL-3.0-or-later */
/* grammar.h - the command language: words, followed by `name value` pairs in any order.
 *
 * A word in capitals is a place for a value: {"authority", "router", "R", "node", "N"}. A place
 * that ends in "..." is the last one, and takes all words that follow.
 *
 * One table (commands.c) is the grammar for parsing, for help and for completion. Words and names
 * may be abbreviated as long as they are unambiguous.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define WORDS_MAX 8
#define PAIRS_MAX 8

enum pair_kind {
	PAIR_END,      /* no more pairs */
	PAIR_VALUE,    /* name and value, must be there */
	PAIR_OPTIONAL, /* name and value */
	PAIR_FLAG,     /* name alone */
	PAIR_FILE,     /* name alone, or with a file's name that ends as the placeholder does */
};

struct pair {
	const char *name;
	enum pair_kind kind;
	const char *placeholder; /* of the value, for help */
};

struct invocation;

struct command {
	const char *words[WORDS_MAX + 1];
	struct pair pairs[PAIRS_MAX + 1];
	int (*run)(const struct invocation *invocation);
	const char *help;
};

struct invocation {
	const struct command *command;
	const char
		*values[PAIRS_MAX]; /* by position in pairs; of a name alone: that; NULL = absent */
	const char *places[WORDS_MAX]; /* what was typed there, by position in words */
	char *const *rest;             /* what was typed for a place with "..." */
	int n_rest;
	const char *socket; /* --socket; NULL = the default */
	const char *config; /* --config, for what needs no daemon; NULL = the default */
	bool json;
};

/* Returns 0, or -1 with message filled. words are borrowed. */
int grammar_parse(struct invocation *ret, const struct command *commands, size_t n_commands,
		  int n_words, char *const *words, char *message, size_t message_size);

/* The value of a pair, by its name; NULL = it was not given. */
const char *invocation_value(const struct invocation *invocation, const char *name);
/* What was typed for a place, by its word ("R"), which the command must have. */
const char *invocation_place(const struct invocation *invocation, const char *word);

void grammar_help(const struct command *commands, size_t n_commands, FILE *out);

/* Prints what may follow in a place with "...". words: first the fixed word before that place,
 * then what was typed for it; the last one may be incomplete. */
typedef void (*grammar_rest_cb)(int n_words, char *const *words, FILE *out);

/* Prints what may follow words, one a line; the last of words may be incomplete. rest: NULL =
 * places with "..." are not completed. */
void grammar_complete(const struct command *commands, size_t n_commands, int n_words,
		      char *const *words, grammar_rest_cb rest, FILE *out);
