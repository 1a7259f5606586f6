/* SPDX-License-Identifier: GPL-3.0-or-later */
/* onboarding.h - a router's way from a token to its tunnels, over reboots.
 *
 * The router shows the token to the conductors that it was given, one after the other, until one
 * enrols it. From then on it keeps a tunnel to each conductor of the registry. Once one is
 * connected, a conductor sends the router's configuration; the router writes it, reboots, and
 * comes up onboarded.
 *
 * If no conductor decides, it tries again after 1, 2, 4 ... 60 s, for ever. After a refusal it
 * needs a new token. A new token starts over at any time; a router that is enrolled keeps what it
 * has until a conductor has enrolled it by the new token (onboarding_rules).
 *
 * Calling sequence: onboarding_start -> onboarding_apply, onboarding_initialize ... ->
 * onboarding_close.
 */
#pragma once

#include <uv.h>

#include "base/settings.h"
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
	/* May a conductor send these members of "steward:router", over the file at path? -EINVAL */
	int (*check_configuration)(const char *path, const char *json, struct err *err);
	void (*changed)(void *owner); /* the state, or which conductors there are */
	void *owner;
};

/* Reads the state that is kept on disk, else the onboarding file, and continues from there. */
int onboarding_start(struct onboarding **ret, const struct onboarding_options *options,
		     struct err *err);
void onboarding_close(struct onboarding *o, void (*closed)(void *owner), void *owner);

/* Apply an onboarding configuration. -EBUSY: the router is enrolled by this very token; errors of
 * onboarding_document_read(), and of writing. On failure nothing has changed. */
int onboarding_apply(struct onboarding *o, struct span configuration, struct err *err);

/* Write the configuration that a conductor sends (JSON, to be merged over ours), and reboot.
 * -EBUSY: not connected, or a newer token is being tried. */
int onboarding_initialize(struct onboarding *o, const char *configuration, struct err *err);
/* The same without the reboot, once onboarded. */
int onboarding_configure(struct onboarding *o, const char *configuration, struct err *err);

/* A conductor tells which conductors there are (conductor_list.h). An older list, and the one that
 * is kept, change nothing. -EBUSY: not enrolled; -EBADMSG, -E2BIG:
 * no such list; errors of writing. On failure nothing has changed. */
#define ONBOARDING_CONDUCTORS_MAX ((size_t)64 << 10)
int onboarding_hear_of_conductors(struct onboarding *o, struct span json, struct err *err);

/* The router's name at its conductors; "" = none has enrolled it. */
const char *onboarding_name(const struct onboarding *o);
enum onboarding_state onboarding_state(const struct onboarding *o);
/* The answer to GET /v1/onboarding; "next" is a newer token that is being tried or was refused. */
cJSON *onboarding_to_json(const struct onboarding *o);

/* The local port of the tunnel that leads to the repository of conductor i; 0 = there is none. */
uint16_t onboarding_repository_port(const struct onboarding *o, size_t i);
