/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt_tool.h - one run of the fscrypt tool.
 *
 * Found in PATH. Failures: CAUSE_FSCRYPT_MISSING (it cannot be executed), CAUSE_FSCRYPT_REFUSED
 * (-EPROTO: exit status and its last line; -ETIMEDOUT), CAUSE_SYSTEM.
 */
#pragma once

#include "base/secret.h"
#include "integrity/failure.h"

/* Where the tool finds the FEK: --key=... */
#define FSCRYPT_TOOL_KEY "--key=/proc/self/fd/3"

/* argv: NULL-terminated, begins with "fscrypt". fek: what FSCRYPT_TOOL_KEY reads, or NULL. */
int fscrypt_tool(const char *const *argv, const struct secret *fek, struct failure *f);
