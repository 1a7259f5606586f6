/* onboarding_record.h - what a router keeps of its onboarding on disk, in the encrypted secrets: a
 * reboot at any point goes on from there.
 *
 *	onboarding.json    state, conductors, and what was asked for
 *	onboarding-token   until it is onboarded
 */
#pragma once

#include <cjson/cJSON.h>

#include "core/err.h"
#include "onboarding/message.h"
#include "onboarding/mode.h"
#include "onboarding/token.h"

#define ONBOARDING_HOSTS_MAX   8
#define ONBOARDING_REASON_SIZE 512

/*
 *	unconfigured ▶ handshaking ▶ enrolled ▶ connected ▶ initializing ▶ onboarded
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
	ONBOARDING_INITIALIZING,
	ONBOARDING_ONBOARDED,
};

const char *onboarding_state_name(enum onboarding_state state);

struct onboarding_record {
	enum onboarding_state state;
	char name[TOKEN_NAME_SIZE]; /* the router's */
	char hosts[ONBOARDING_HOSTS_MAX][MESSAGE_HOST_SIZE];
	size_t n_hosts;
	enum onboarding_mode minimum_mode;
	char reason[ONBOARDING_REASON_SIZE]; /* of refused and retrying */
	struct message_conductor conductors[MESSAGE_CONDUCTORS_MAX];
	size_t n_conductors;
};

/* An onboarding configuration, as an operator or a cloud redirect gives it: {"mode":
 * "conductor-managed","name":…,"conductor-hosts":[…],"secure-conductor-onboarding-token":…,
 * "minimum-mode":…}. *ret_token is freed by the caller. -EINVAL: what is wrong with it. */
int onboarding_record_configure(struct onboarding_record *ret, struct span configuration,
				enum onboarding_mode minimum_mode, char **ret_token,
				struct err *err);

/* -ENOENT: there is none. */
int onboarding_record_load(struct onboarding_record *ret, const char *directory, struct err *err);
int onboarding_record_save(const struct onboarding_record *record, const char *directory,
			   struct err *err);

/* GET /v1/onboarding. */
cJSON *onboarding_record_to_json(const struct onboarding_record *record);
