/* commands.h - the commands of stewardctl: the table, and what each does. */
#pragma once

#include "stewardctl/grammar.h"

extern const struct command commands[];
extern const size_t n_commands;
