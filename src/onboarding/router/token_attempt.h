/* SPDX-License-Identifier: GPL-3.0-or-later */
/* token_attempt.h - one try to enrol with a token: it is shown to the conductors of the onboarding
 * configuration, one after the other, until one of them enrols the router or refuses the token.
 *
 * If none of them decides, the attempt begins again after 1, 2, 4 ... 60 s, for ever.
 *
 * Calling sequence: token_attempt_start -> told ... -> token_attempt_close. It frees itself when
 * closed.
 */
#pragma once

#include "base/settings.h"
#include "onboarding/router/onboarding_record.h"
#include "onboarding/router/sco_client.h"

struct token_attempt;

/* accept, with ENROLLED: the conductors to connect to; borrowed. reason: with the other results.
 * RETRY comes when a conductor's reason differs from its last one, not for each try; the attempt
 * goes on by itself. After ENROLLED and REFUSED it does nothing until it is closed, which may be
 * done inside told. */
typedef void (*token_attempt_told_cb)(void *owner, enum sco_result result,
				      const struct message_accept *accept, const char *key_exchange,
				      const char *reason);

/* Strings are borrowed until closed. */
struct token_attempt_options {
	uv_loop_t *loop;
	const struct config_onboarding *config;
	const char *asset_id; /* NULL = the token's only one */
	const char *key_file; /* of the router's private key */
	token_attempt_told_cb told;
	void *owner;
};

/* Holds the token, and copies hosts and minimum mode of the record. told does not come inside this
 * call. Errors: those of token_attempt_check(). */
int token_attempt_start(struct token_attempt **ret, const struct token_attempt_options *options,
			const struct onboarding_record *record, struct err *err);
/* Could an attempt be started? -ENOENT: the token is gone, and only a new one helps. The other
 * errors may pass: -ENODATA (asset_id is NULL, and the token is for several), -ENOMEM, and those
 * of token_parse(), which a kept token has passed before and which lack of memory causes too. */
int token_attempt_check(const char *asset_id, const struct onboarding_record *record,
			struct err *err);

/* The network of this machine has changed. If the way to a conductor has, it tries now. */
void token_attempt_look(struct token_attempt *a);

/* told does not come any more. */
void token_attempt_close(struct token_attempt *a, void (*closed)(void *owner));
