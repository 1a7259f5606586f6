/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stream of events, cut where its first byte says. */
#include "fuzz.h"

#include "stewardctl/sse.h"

static bool take(void *owner, const char *event, const char *data)
{
	(void)owner;
	HOLDS(strlen(event) < 32 && data);
	return strcmp(event, "stop") != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t cut = size > 0 ? bytes[0] % (size + 1) : 0;
	struct sse sse;

	sse_init(&sse, take, NULL);
	if (sse_feed(&sse, (const char *)bytes, cut))
		(void)sse_feed(&sse, (const char *)bytes + cut, size - cut);
	sse_release(&sse);
	return 0;
}
