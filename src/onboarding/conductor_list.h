/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conductor_list.h - which conductors there are: what a conductor tells an enrolled router through
 * its tunnel, and what the router keeps of it.
 *
 *	{"conductors-version":1767225600,"conductors":[{"name":"conductor1","host":"192.0.2.1",
 *	 "port":930,"listen-port":20001,"repository-port":8930,"ssh-host-keys":["AAAA..."]}]}
 *
 * All conductors of one registry tell the same list, and a list that is newer has a higher version.
 */
#pragma once

#include <cjson/cJSON.h>

#include "onboarding/message.h"

/* Those of the list that was heard last, and those of before that have to stay for now. */
#define KNOWN_CONDUCTORS_MAX ((size_t)2 * MESSAGE_CONDUCTORS_MAX)

struct known_conductor {
	struct message_conductor at;
	char name[TOKEN_NAME_SIZE];  /* at its authority; "" = not told: a handshake tells none */
	int64_t unreachable_since_s; /* as it was noted; 0 = it is reached, or was not tried yet */
	bool leaves; /* it is listed no more, and goes once a listed one is reached */
};

struct conductor_list {
	uint64_t version; /* 0 = of a handshake, which tells none */
	struct known_conductor each[KNOWN_CONDUCTORS_MAX];
	size_t n;
};

/* Does a tunnel that leads to the one lead to the other: same host, same ports? Their keys may
 * differ. */
bool conductor_is_same_way(const struct message_conductor *a, const struct message_conductor *b);

bool conductor_has_key(const struct message_conductor *c, const struct message_host_key *key);
bool conductor_has_same_keys(const struct message_conductor *a, const struct message_conductor *b);

/* Adds both members. false = out of memory. */
bool conductor_list_add_json(cJSON *json, const struct conductor_list *list);

/* The list as this program has written it. -EBADMSG. */
int conductor_list_read(const cJSON *json, struct conductor_list *ret, struct err *err);
/* The list as somebody else tells it: whole and without surprises, or not at all. -EBADMSG. */
int conductor_list_read_told(const cJSON *json, struct conductor_list *ret, struct err *err);
