/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding_token.h - a token on its way through the router: its text, which is kept on disk, and
 * what it says, which is read once.
 *
 * The record of an onboarding and the attempt that shows its token share it: an attempt may still
 * be closing when its record has another token already. Only the loop's thread holds and releases.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "onboarding/token.h"

struct onboarding_token {
	char *text;
	struct token says; /* once is_read */
	bool is_read;
	unsigned holders;
};

/* Copies text, and reads nothing yet. To be released. -ENOMEM. */
int onboarding_token_new(struct onboarding_token **ret, const char *text, struct err *err);
/* Fills says, unless it is there already. Errors: those of token_parse(). */
int onboarding_token_read(struct onboarding_token *token, struct err *err);

/* One more holder. Returns token. */
struct onboarding_token *onboarding_token_hold(struct onboarding_token *token);
/* The last holder wipes and frees it. Takes NULL. */
void onboarding_token_release(struct onboarding_token *token);
