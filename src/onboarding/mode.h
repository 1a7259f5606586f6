/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode.h - how much a router must prove to be let in (docs/onboarding.md, "Modes").
 */
#pragma once

#include <stdbool.h>

/* In the order of strength. */
enum onboarding_mode {
	ONBOARDING_DISABLED,
	ONBOARDING_PSK_ONLY, /* the pre-shared secret */
	ONBOARDING_WEAK,     /* that, and a client certificate */
	ONBOARDING_STRONG,   /* that, and its TPM */
};

const char *onboarding_mode_name(enum onboarding_mode mode);
/* false = no mode of that name; *ret is then untouched. */
bool onboarding_mode_from_name(const char *name, enum onboarding_mode *ret);
