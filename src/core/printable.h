/* printable.h - text from a stranger, made fit for a log line or a terminal.
 */
#pragma once

#include <stddef.h>

/* Copy text so that it is one harmless line of valid UTF-8: control characters, and bytes that
 * are no UTF-8, become \xNN. What does not fit is cut at a whole character. size: of ret, with
 * the final zero. */
void printable_copy(const char *text, char *ret, size_t size);
