/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_memory.h - the memory of a configuration. Every string and array of a struct config is
 * taken here, and config_free() gives all of it back: nobody lists them once more in order to free
 * them.
 */
#pragma once

#include <stddef.h>

#include "base/settings.h"

/* Zeroed, and freed with the configuration. NULL = out of memory. */
void *config_take(struct config *config, size_t size);
/* A copy of text, likewise. */
char *config_take_text(struct config *config, const char *text);

void config_free(struct config *config);   /* takes NULL */
void config_freep(struct config **config); /* for _cleanup_ */
