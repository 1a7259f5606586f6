/* attempt.h - one token, shown to the conductors of its onboarding configuration, one after the
 * other, until one enrols the router or refuses it.
 *
 * What is not decided is tried again after 1, 2, 4 ... 60 s, for ever.
 *
 * Calling sequence: attempt_start -> told ... -> attempt_close. It frees itself when closed.
 */
#pragma once

#include "core/config.h"
#include "onboarding/router/onboarding_record.h"
#include "onboarding/router/sco_client.h"

struct attempt;

/* accept: what to connect to, of ENROLLED; borrowed. reason: of the others. RETRY comes for a
 * conductor when its reason is another than it was the last time, not for each try; it goes on
 * by itself; after the others it only waits to be closed, also inside told. */
typedef void (*attempt_told_cb)(void *owner, enum sco_result result,
				const struct message_accept *accept, const char *reason);

/* Strings are borrowed until closed. */
struct attempt_options {
	uv_loop_t *loop;
	const struct config_onboarding *config;
	const char *asset_id; /* NULL = the token's only one */
	const char *key_file; /* of the router's private key */
	attempt_told_cb told;
	void *owner;
};

/* Of the record: token, hosts, minimum mode; they are copied. told does not come inside. Errors: as
 * of attempt_check(). */
int attempt_start(struct attempt **ret, const struct attempt_options *options,
		  const struct onboarding_record *record, struct err *err);
/* Could it be started? -ENOENT: its token is gone, only a new one helps. The rest may pass:
 * -ENODATA, asset_id is NULL, and the token for several; -ENOMEM; those of token_parse(), which a
 * record's token has been through before, and which short memory brings too. */
int attempt_check(const char *asset_id, const struct onboarding_record *record, struct err *err);

/* told does not come any more. */
void attempt_close(struct attempt *a, void (*closed)(void *owner));
