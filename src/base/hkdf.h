/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hkdf.h - keys from a secret, each for one purpose (RFC 5869, with SHA-256).
 */
#pragma once

#include "base/span.h"

#define HKDF_SIZE 32

enum hkdf_step { HKDF_EXTRACT, HKDF_EXPAND, HKDF_EXTRACT_AND_EXPAND };

/* What a step does not have, salt or label, is not looked at. label: at most 63 characters.
 * -ENOMEM. */
int hkdf_sha256(enum hkdf_step step, struct span key, struct span salt, const char *label,
		uint8_t ret[HKDF_SIZE]);
