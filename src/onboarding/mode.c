/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/mode.h"

#include <string.h>

#include "base/macros.h"

static const char *const names[] = {
	[ONBOARDING_DISABLED] = "disabled",
	[ONBOARDING_PSK_ONLY] = "psk-only",
	[ONBOARDING_WEAK] = "weak",
	[ONBOARDING_STRONG] = "strong",
};

const char *onboarding_mode_name(enum onboarding_mode mode)
{
	return names[mode];
}

bool onboarding_mode_from_name(const char *name, enum onboarding_mode *ret)
{
	for (unsigned i = 0; i < N_ELEMENTS(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum onboarding_mode)i;
			return true;
		}
	return false;
}
