/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A token as somebody pastes it: what is taken is in the one form that is written. */
#include "fuzz.h"

#include "onboarding/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct token token = {.iat = 4711};
	char *text = fuzz_string(bytes, size);
	uint64_t seconds = 0;
	struct err err;

	if (token_parse(&token, span_of(bytes, size), &err) == 0) {
		HOLDS(token_name_is_valid(token.router) && token_jti_is_valid(token.jti));
		HOLDS(token.exp > token.iat && token.n_asset_ids > 0);
		token_release(&token);
	} else {
		HOLDS(token.iat == 4711 && !token.header);
	}
	if (token_duration_parse(text, &seconds, &err) == 0)
		HOLDS(seconds >= 60 && seconds <= TOKEN_DURATION_MAX_S);
	free(text);
	return 0;
}
