/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/router/onboarding_token.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int onboarding_token_new(struct onboarding_token **ret, const char *text, struct err *err)
{
	struct onboarding_token *token = calloc(1, sizeof(*token));

	if (token)
		token->text = strdup(text);
	if (!token || !token->text) {
		free(token);
		return err_set(err, -ENOMEM, "out of memory");
	}
	token->holders = 1;
	*ret = token;
	return 0;
}

int onboarding_token_read(struct onboarding_token *token, struct err *err)
{
	int rc = token->is_read ? 0 : token_parse(&token->says, span_of_string(token->text), err);

	if (rc == 0)
		token->is_read = true;
	return rc;
}

struct onboarding_token *onboarding_token_hold(struct onboarding_token *token)
{
	token->holders++;
	return token;
}

void onboarding_token_release(struct onboarding_token *token)
{
	if (!token || --token->holders > 0)
		return;
	token_text_free(&token->text);
	token_release(&token->says);
	free(token);
}
