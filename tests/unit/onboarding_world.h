/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding_world.h - a router's onboarding in a folder of its own, on a loop of its own: nobody
 * answers it.
 *
 * Calling sequence: router_make -> [router_save ...] -> router_start -> ... -> router_stop ->
 * test_folder_remove of its folder. router_start again is a restart of the daemon.
 */
#pragma once

#include "support.h"

#include "onboarding/router/onboarding.h"
#include "onboarding/router/onboarding_document.h"
#include "onboarding/router/onboarding_records.h"
#include "pki.h"

#define FIRST  "00000000000000000000000000000001"
#define SECOND "00000000000000000000000000000002"

struct onboarding_world {
	const struct pki *pki;
	uv_loop_t loop;
	char *folder; /* of secrets and state */
	struct config_onboarding config;
	const char *asset_id; /* A0 */
	char *command[4];
	char file[256];        /* the onboarding file; not there */
	char config_path[256]; /* steward.json */
	char script[512];      /* of the reboot's command: one more line in "rebooted" */
	struct onboarding *onboarding;
	unsigned changes; /* that the owner was told of */
	bool closed;
};

/* For router1, one or two asset-ids, and a conductor that is not there. Freed by the caller. */
char *router_token(const struct pki *pki, const char *jti, size_t n_asset_ids);
char *router_document(const struct pki *pki, const char *jti);
/* The same with that token, for hosts as they stand in JSON. */
char *router_document_of(const char *token, const char *hosts);
/* What such a document makes. */
struct onboarding_record router_record(const struct pki *pki, enum onboarding_state state,
				       const char *jti);

void router_make(struct onboarding_world *w, const struct pki *pki);
/* On disk. */
void router_save(const struct pki *pki, const char *folder, const char *file,
		 enum onboarding_state state, const char *jti);
bool router_has(const char *folder, const char *name);

void router_start(struct onboarding_world *w);
void router_stop(struct onboarding_world *w);
int router_apply(const struct onboarding_world *w, const char *jti, struct err *err);
int router_apply_document(const struct onboarding_world *w, const char *document, struct err *err);
/* Until that state is there, at most ten seconds. */
void router_turn(struct onboarding_world *w, enum onboarding_state until);
/* For so long. */
void router_turn_for(struct onboarding_world *w, unsigned ms);

/* next: the token that is tried beside; "" = none. */
void router_expect(const struct onboarding_world *w, const char *state, const char *jti,
		   const char *next);
const char *router_text_of(const cJSON *json, const char *name);
unsigned router_reboots(const struct onboarding_world *w);
