/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_ahead.h - what an unlock begins with, read before the file is checked.
 *
 * libyang builds the whole model before it looks at the first value, and a TPM needs as long to
 * find a key. So the TPM may be asked by what is read here, while config_load_early() checks the
 * same file. What is read here is a guess: it has no ranges, and its defaults are copies of the
 * model's. Only when config_integrity_equal() says that it is what the model makes of the file
 * may something be opened or changed by it.
 */
#pragma once

#include <stdbool.h>

#include "config/config_memory.h"

/* Only ->integrity is filled. Returns 0, or a negative errno where there is no guess: then whoever
 * checks the file has the words for why. config_free() frees it. */
int config_ahead_read(struct config **ret, const char *path);

bool config_integrity_equal(const struct config_integrity *a, const struct config_integrity *b);
