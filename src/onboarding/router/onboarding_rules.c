#include "onboarding/router/onboarding_rules.h"

#include <string.h>

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
