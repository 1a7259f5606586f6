/* claim.h - an image is changed by one at a time.
 *
 * Who imports or deletes a version claims it until that is done; no download of it begins
 * meanwhile, and nobody claims what a download is not done with. The claim is embedded in who
 * has it. Of the loop thread alone.
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
