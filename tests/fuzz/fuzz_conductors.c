/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which conductors there are, as one tells it to a router; and what the router then keeps. */
#include "fuzz.h"

#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "onboarding/router/conductor_choice.h"

static void check(const struct conductor_list *list)
{
	HOLDS(list->version > 0 && list->n > 0 && list->n <= MESSAGE_CONDUCTORS_MAX);
	for (size_t i = 0; i < list->n; i++) {
		const struct known_conductor *c = &list->each[i];

		HOLDS(token_name_is_valid(c->name) && message_host_is_valid(c->at.host));
		HOLDS(c->at.port && c->at.listen_port && c->at.repository_port);
		HOLDS(c->at.n_ssh_host_keys > 0 && !c->leaves);
	}
}

/* Told twice it is the same; what the handshake told stays until something of it is reached. */
static void keep(const struct conductor_list *heard)
{
	struct conductor_list kept = {.n = 1};
	struct conductor_list list;
	int up_by[KNOWN_CONDUCTORS_MAX];

	for (size_t i = 0; i < KNOWN_CONDUCTORS_MAX; i++)
		up_by[i] = CONDUCTOR_IS_DOWN;
	(void)strcpy(kept.each[0].at.host, "192.0.2.77");
	HOLDS(conductor_choose(&kept, up_by, heard, &list) == CONDUCTORS_CHANGE);
	HOLDS(list.n == heard->n + 1 && list.each[heard->n].leaves);
	HOLDS(conductor_choose(&list, up_by, heard, &kept) == CONDUCTORS_STAY);
	up_by[0] = 0;
	HOLDS(conductor_choice_settle(&list, up_by) && list.n == heard->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	struct conductor_list list;
	struct err err;

	if (json_parse(&json, span_of(bytes, size), (size_t)64 << 10, &err) < 0 ||
	    conductor_list_read_told(json, &list, &err) < 0)
		return 0;
	check(&list);
	keep(&list);
	return 0;
}
