/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/settings.h"

#include <errno.h>
#include <string.h>

static const char *const access_modes[N_ACCESS_MODES] = {
	[ACCESS_INTERNET_ONLY] = "internet-only",
	[ACCESS_PREFER_CONDUCTOR] = "prefer-conductor",
	[ACCESS_CONDUCTOR_ONLY] = "conductor-only",
	[ACCESS_OFFLINE] = "offline-mode",
};

static const struct {
	const char *name;
	bool is_used[N_ACCESS_MODES];
} source_kinds[N_SOURCE_KINDS] = {
#define KIND(kind, name, ...) [kind] = {name, {__VA_ARGS__}},
	SOURCE_KINDS(KIND)
#undef KIND
};

const char *access_mode_name(enum access_mode mode)
{
	return access_modes[mode];
}

int access_mode_parse(const char *name, enum access_mode *ret)
{
	for (unsigned i = 0; i < N_ACCESS_MODES; i++) {
		if (strcmp(access_modes[i], name) != 0)
			continue;
		*ret = (enum access_mode)i;
		return 0;
	}
	return -EINVAL;
}

const char *source_kind_name(enum source_kind kind)
{
	return source_kinds[kind].name;
}

int source_kind_parse(const char *name, enum source_kind *ret)
{
	for (unsigned i = 0; i < N_SOURCE_KINDS; i++) {
		if (strcmp(source_kinds[i].name, name) != 0)
			continue;
		*ret = (enum source_kind)i;
		return 0;
	}
	return -EINVAL;
}

bool source_kind_is_used(enum config_role role, enum access_mode mode, enum source_kind kind)
{
	/* A conductor in offline-mode asks only its HA peer. */
	if (role == CONFIG_CONDUCTOR && mode == ACCESS_OFFLINE)
		return kind == SOURCE_HA_PEER;
	return source_kinds[kind].is_used[mode];
}

bool source_offers_only_imported(enum config_role role, enum access_mode mode,
				 enum source_kind kind)
{
	return mode == ACCESS_OFFLINE &&
	       (kind == SOURCE_CONDUCTOR || (kind == SOURCE_HA_PEER && role == CONFIG_CONDUCTOR));
}
