/* SPDX-License-Identifier: GPL-3.0-or-later */
/* claim.h - makes sure that an image is changed by one user at a time.
 *
 * An import or a deletion claims the version until it is done. Meanwhile no download of that
 * version begins; and nobody can claim a version while a download uses it. The claim is embedded
 * in its user. For the loop thread only.
 */
#pragma once

#include <stdbool.h>

struct claim {
	struct claim *next;
	const char *version; /* borrowed; NULL = claims nothing */
};

struct claims {
	struct claim *first;
};

/* false = somebody else has claimed version. */
bool claim_take(struct claims *claims, struct claim *claim, const char *version);

/* Also if it claims nothing. */
void claim_give_back(struct claims *claims, struct claim *claim);

bool claims_have(const struct claims *claims, const char *version);
