/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file of a time zone; behind an X, the rule of one. */
#include "fuzz.h"

#include "base/zone.h"

static const int64_t moments[] = {INT32_MIN, 0, 1774746000, 1ll << 36};

static void ask_rule(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_string(bytes, size);
	struct zone_rule rule;
	struct err err;

	if (zone_rule_parse(&rule, text, &err) == 0)
		for (unsigned i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
			HOLDS(zone_rule_at(&rule, moments[i]).until_s > moments[i]);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct zone *zone = NULL;
	struct err err;

	if (size > 0 && bytes[0] == 'X') {
		ask_rule(bytes + 1, size - 1);
		return 0;
	}
	if (zone_parse(&zone, span_of(bytes, size), &err) == 0)
		for (unsigned i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
			HOLDS(zone_at(zone, moments[i]).until_s > moments[i]);
	zone_free(zone);
	return 0;
}
