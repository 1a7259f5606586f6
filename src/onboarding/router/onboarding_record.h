/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding_record.h - what a router keeps of its onboarding on disk, in the encrypted secrets,
 * so that it continues after a reboot at any point.
 *
 *	onboarding.json       what is in force: state, conductors, what was asked for; and the
 *	                      token, until nobody needs it any more
 *	onboarding-next.json  a newer token beside it, until a conductor has enrolled us by it
 *
 * Each file is written whole or not at all, its token with it: a power cut leaves the old or the
 * new one.
 */
#pragma once

#include <cjson/cJSON.h>

#include "base/err.h"
#include "onboarding/conductor_list.h"
#include "onboarding/key_exchange.h"
#include "onboarding/mode.h"
#include "onboarding/router/onboarding_token.h"

#define ONBOARDING_FILE        "onboarding.json"
#define ONBOARDING_NEXT_FILE   "onboarding-next.json"
#define ONBOARDING_HOSTS_MAX   8
#define ONBOARDING_REASON_SIZE 512
#define ONBOARDING_BOOT_SIZE   37 /* a UUID and a zero */

/*
 *	unconfigured ▶ handshaking ▶ enrolled ▶ connected ▶ initializing ▶ (reboot) ▶ onboarded
 *	                 ▲   │ ▲ └▶ refused (a new token starts over)
 *	                 │   ▼ │
 *	                retrying
 */
enum onboarding_state {
	ONBOARDING_UNCONFIGURED,
	ONBOARDING_HANDSHAKING,
	ONBOARDING_RETRYING,
	ONBOARDING_REFUSED,
	ONBOARDING_ENROLLED,
	ONBOARDING_CONNECTED,
	ONBOARDING_INITIALIZING, /* the configuration is written, and a reboot due */
	ONBOARDING_ONBOARDED,
};

const char *onboarding_state_name(enum onboarding_state state);

struct onboarding_record {
	enum onboarding_state state;
	char name[TOKEN_NAME_SIZE]; /* the router's */
	char hosts[ONBOARDING_HOSTS_MAX][MESSAGE_HOST_SIZE];
	size_t n_hosts;
	enum onboarding_mode minimum_mode;
	char jti[TOKEN_JTI_SIZE]; /* the token's number, also after the token is gone; "" = none */
	struct onboarding_token *token;      /* held; NULL = gone */
	char reason[ONBOARDING_REASON_SIZE]; /* of refused and retrying; of a reboot that failed */
	struct conductor_list conductors;
	char key_exchange[KEY_EXCHANGE_SIZE]; /* of the handshake that enrolled us; "" = none yet,
						 or it was not noted */
	/* For initializing: the boot in which the configuration came, and whether the reboot
	 * command was run since. */
	char boot_id[ONBOARDING_BOOT_SIZE];
	bool is_reboot_commanded;
};

/* Takes a zeroed one, and leaves one. */
void onboarding_record_release(struct onboarding_record *record);
/* Remove the token: nobody needs it any more. */
void onboarding_record_forget_token(struct onboarding_record *record);

/* file: one of the two above. -ENOENT: there is none. */
int onboarding_record_load(struct onboarding_record *ret, const char *directory, const char *file,
			   struct err *err);
int onboarding_record_save(const struct onboarding_record *record, const char *directory,
			   const char *file, struct err *err);

/* GET /v1/onboarding: without the token. */
cJSON *onboarding_record_to_json(const struct onboarding_record *record);

/* Fills ret->hosts from the member conductor-hosts: 1 to ONBOARDING_HOSTS_MAX names or addresses.
 * A record has them as the document of an operator has them. -EINVAL. */
int onboarding_record_read_hosts(const cJSON *json, struct onboarding_record *ret, struct err *err);
