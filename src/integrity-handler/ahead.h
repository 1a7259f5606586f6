/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ahead.h - unlocks by a configuration that is checked while the TPM is asked.
 *
 * Either takes milliseconds, and neither needs the other: config_ahead.h says what the TPM is
 * asked by. Nothing is decrypted, opened or changed before the file is checked and says the same.
 * Where it does not, this begins anew with what it says.
 */
#pragma once

#include "config/config.h"
#include "integrity/integrity.h"

/* *ret_config: the checked configuration; NULL = it is refused, f->err says why. Returns as
 * integrity_unlock(); -EINVAL or what config_load_early() says where it is refused. */
int ahead_unlock(const char *path, struct config **ret_config, struct integrity *ret,
		 struct failure *f);
