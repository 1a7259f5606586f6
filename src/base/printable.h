/* SPDX-License-Identifier: GPL-3.0-or-later */
/* printable.h - makes text from a stranger safe for a log line, a label or a terminal.
 *
 * Not shown are characters that a terminal obeys (C0, delete, C1), that change the order or the
 * lines of the text around them (bidirectional controls, line separators), and that nobody can
 * see (zero-width and tag characters), by which one name can look like another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Copy text so that it is one harmless line of valid UTF-8: what is not shown, and bytes that are
 * no UTF-8, become \xNN. What does not fit is cut at a whole character. size: of ret, with the
 * final zero. */
void printable_copy(const char *text, char *ret, size_t size);

/* The character that text begins with, and how many bytes it has; 0 = no UTF-8 (RFC 3629). */
size_t printable_next(const char *text, unsigned long *ret_character);
bool printable_is_shown(unsigned long character);

/* Cut text to at most so many bytes, at a whole character. */
void printable_cut(char *text, size_t bytes);
