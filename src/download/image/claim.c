/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/claim.h"

#include <stddef.h>
#include <string.h>

bool claims_have(const struct claims *claims, const char *version)
{
	for (const struct claim *claim = claims->first; claim; claim = claim->next)
		if (strcmp(claim->version, version) == 0)
			return true;
	return false;
}

bool claim_take(struct claims *claims, struct claim *claim, const char *version)
{
	if (claims_have(claims, version))
		return false;
	claim->version = version;
	claim->next = claims->first;
	claims->first = claim;
	return true;
}

void claim_give_back(struct claims *claims, struct claim *claim)
{
	if (!claim->version)
		return;
	for (struct claim **at = &claims->first; *at; at = &(*at)->next) {
		if (*at == claim) {
			*at = claim->next;
			break;
		}
	}
	claim->version = NULL;
}
