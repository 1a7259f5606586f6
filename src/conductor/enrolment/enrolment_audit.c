/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_audit.h"

#include <time.h>

#include "conductor/registry/registry_audit.h"
#include "conductor/registry/registry_tokens.h"

/* Is the token one that was issued here? Its number is a secret to strangers. */
static bool token_is_ours(const struct enrolment_handshake *h, struct registry_token *ret)
{
	return h->steps && token_jti_is_valid(h->steps->hello.jti) &&
	       registry_token_find(h->context->registry, h->steps->hello.jti, ret, NULL) == 0;
}

int enrolment_audit_append(const struct enrolment_handshake *h, bool *ret_counts, struct err *err)
{
	const struct registry_origin origin = {.address = h->address, .time_s = time(NULL)};
	struct registry_token token = {0};
	struct registry_event event = {
		.outcome = h->alert ? REGISTRY_OTHER_DEVICE : REGISTRY_REFUSED,
		.reason = h->err.text,
	};

	*ret_counts = false;
	if (h->verified) {
		event.router = h->steps->hello.router;
		event.node = h->steps->candidate.node;
	} else if (token_is_ours(h, &token)) {
		event.router = token.router;
	} else {
		*ret_counts = true;
		return 0;
	}
	return registry_audit_append(h->context->registry, &origin, &event, err);
}
