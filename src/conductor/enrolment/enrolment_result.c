/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_result.h"

#include "base/log_events.h"

void enrolment_result_log(const struct enrolment_handshake *h)
{
	const struct log_fields fields = {.source = h->address, .reason = h->err.text};

	switch (h->outcome) {
	case ENROLMENT_ENROLLED:
		log_event(LOG_ROUTER_ENROLLED, &(struct log_fields){.source = h->address},
			  "router %s, node %s enrolled from %s", h->steps->hello.router,
			  h->steps->candidate.node, h->address);
		break;
	case ENROLMENT_REFUSED:
		log_event(h->alert ? LOG_OTHER_DEVICE : LOG_ONBOARDING_REFUSED, &fields,
			  "from %s: refused: %s", h->address, h->err.text);
		break;
	case ENROLMENT_RETRY_LATER:
		log_event(LOG_ONBOARDING_DEFERRED, &fields, "from %s: not decided: %s", h->address,
			  h->err.text);
		break;
	default:
		log_debug("from %s: %s", h->address, h->err.text);
	}
}

void enrolment_result_count(struct enrolment_counts *counts, enum enrolment_outcome outcome)
{
	switch (outcome) {
	case ENROLMENT_ENROLLED:
		counts->enrolled++;
		break;
	case ENROLMENT_REFUSED:
		counts->refused++;
		break;
	case ENROLMENT_RETRY_LATER:
		counts->retry_later++;
		break;
	default:
		counts->strangers++;
	}
}
