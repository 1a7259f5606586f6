/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding_rules.h"

#include <string.h>

bool onboarding_may_become(enum onboarding_state from, enum onboarding_state to)
{
	static const unsigned allowed[] = {
		[ONBOARDING_UNCONFIGURED] = 1u << ONBOARDING_HANDSHAKING,
		[ONBOARDING_HANDSHAKING] = 1u << ONBOARDING_HANDSHAKING |
					   1u << ONBOARDING_RETRYING | 1u << ONBOARDING_REFUSED |
					   1u << ONBOARDING_ENROLLED,
		[ONBOARDING_RETRYING] = 1u << ONBOARDING_HANDSHAKING | 1u << ONBOARDING_RETRYING |
					1u << ONBOARDING_REFUSED | 1u << ONBOARDING_ENROLLED,
		[ONBOARDING_REFUSED] = 1u << ONBOARDING_HANDSHAKING,
		[ONBOARDING_ENROLLED] = 1u << ONBOARDING_CONNECTED,
		[ONBOARDING_CONNECTED] = 1u << ONBOARDING_INITIALIZING,
		[ONBOARDING_INITIALIZING] =
			1u << ONBOARDING_INITIALIZING | 1u << ONBOARDING_ONBOARDED,
		[ONBOARDING_ONBOARDED] = 0,
	};

	return allowed[from] & 1u << to;
}

bool onboarding_is_enrolled(const struct onboarding_record *record)
{
	return record->state >= ONBOARDING_ENROLLED;
}

bool onboarding_is_tried(const struct onboarding_record *record)
{
	return record->state == ONBOARDING_HANDSHAKING || record->state == ONBOARDING_RETRYING;
}

static bool has_token(const struct onboarding_record *record, const char *jti)
{
	return record->state != ONBOARDING_UNCONFIGURED && strcmp(record->jti, jti) == 0;
}

enum onboarding_verdict onboarding_judge(const struct onboarding_record *now,
					 const struct onboarding_record *next, const char *jti)
{
	if (!onboarding_is_enrolled(now))
		return ONBOARDING_STARTS_OVER;
	if (!has_token(now, jti))
		return ONBOARDING_GOES_BESIDE;
	return next->state == ONBOARDING_UNCONFIGURED ? ONBOARDING_CHANGES_NOTHING
						      : ONBOARDING_TAKES_BACK;
}

bool onboarding_has_taken(const struct onboarding_record *now, const struct onboarding_record *next,
			  const char *jti)
{
	return (has_token(now, jti) && now->state != ONBOARDING_REFUSED) ||
	       (has_token(next, jti) && next->state != ONBOARDING_REFUSED);
}

bool onboarding_has_rebooted(const struct onboarding_record *record, const char *boot_id)
{
	return record->is_reboot_commanded || strcmp(record->boot_id, boot_id) != 0;
}
