/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An onboarding configuration as somebody posts it, or lays it on the disk. */
#include "fuzz.h"

#include "onboarding/router/onboarding_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct onboarding_record record = {.n_hosts = 4711};
	struct err err;

	if (onboarding_document_read(&record, span_of(bytes, size), ONBOARDING_WEAK, &err) < 0) {
		HOLDS(record.n_hosts == 4711 && !record.token);
		return 0;
	}
	HOLDS(record.state == ONBOARDING_HANDSHAKING);
	HOLDS(record.n_hosts > 0 && record.n_hosts <= ONBOARDING_HOSTS_MAX);
	HOLDS(token_name_is_valid(record.name) && token_jti_is_valid(record.jti));
	HOLDS(record.token && record.minimum_mode != ONBOARDING_DISABLED);
	onboarding_record_release(&record);
	return 0;
}
