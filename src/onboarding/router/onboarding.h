/* onboarding.h - a router's way from a token to its tunnels, over reboots.
 *
 * It shows the token to the conductors it was given, one after the other, until one enrols it; from
 * then on it keeps a tunnel to each conductor of the registry. Once one is connected, a conductor
 * sends the router's configuration; that is written, the router reboots, and comes up onboarded.
 *
 * What is not decided is tried again after 1, 2, 4 ... 60 s, for ever. What was refused needs a new
 * token. A new token starts over, at any time; one that is enrolled keeps what it has until a
 * conductor has enrolled it by the new token (onboarding_rules).
 *
 * Calling sequence: onboarding_start -> onboarding_apply, onboarding_initialize ... ->
 * onboarding_close.
 */
#pragma once

#include <uv.h>

#include "core/config.h"
#include "onboarding/router/onboarding_record.h"

struct onboarding;

/* Strings are borrowed until closed. */
struct onboarding_options {
	uv_loop_t *loop;
	const struct config_onboarding *config;
	const char *asset_id;    /* NULL = the token's only one */
	const char *socket;      /* our control socket for conductors: where the tunnels lead to */
	const char *directory;   /* for what is no secret: known_hosts */
	const char *config_path; /* what a conductor's configuration is merged over */
	void (*changed)(void *owner); /* the state, or which conductors there are */
	void *owner;
};

/* Reads what is kept, and else the onboarding file; goes on from there. */
int onboarding_start(struct onboarding **ret, const struct onboarding_options *options,
		     struct err *err);
void onboarding_close(struct onboarding *o, void (*closed)(void *owner), void *owner);

/* An onboarding configuration. -EBUSY: its token is what this router is enrolled with; those of
 * onboarding_document_read(), and of writing: then all is as it was. */
int onboarding_apply(struct onboarding *o, struct span configuration, struct err *err);

/* The configuration that a conductor sends, JSON as it is to be merged over ours: written, and the
 * router reboots. Not connected, or a newer token is being tried: -EBUSY. */
int onboarding_initialize(struct onboarding *o, const char *configuration, struct err *err);
/* The same without the reboot, once onboarded. */
int onboarding_configure(struct onboarding *o, const char *configuration, struct err *err);

enum onboarding_state onboarding_state(const struct onboarding *o);
/* GET /v1/onboarding; with "next", the newer token that is tried, or was refused, beside it. */
cJSON *onboarding_to_json(const struct onboarding *o);

/* Where the repository of conductor i is, at this end of its tunnel: 0 = there is none. */
uint16_t onboarding_repository_port(const struct onboarding *o, size_t i);
