/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int enrolment_shown_open(struct enrolment_shown **ret, struct registry *registry,
			 const struct config_conductor *config, uint16_t repository_port,
			 struct err *err)
{
	struct enrolment_shown *shown = calloc(1, sizeof(*shown));
	int rc;

	if (!shown)
		return err_set(err, -ENOMEM, "out of memory");
	rc = enrolment_context_init(&shown->context, registry, config, repository_port, err);
	if (rc < 0) {
		free(shown);
		return rc;
	}
	shown->users = 1;
	*ret = shown;
	return 0;
}

struct enrolment_shown *enrolment_shown_hold(struct enrolment_shown *shown)
{
	shown->users++;
	return shown;
}

void enrolment_shown_release(struct enrolment_shown *shown)
{
	if (--shown->users > 0)
		return;
	enrolment_context_release(&shown->context);
	free(shown);
}

struct span enrolment_shown_certificate(const struct enrolment_shown *shown)
{
	const struct conductor_identity *identity = &shown->context.identity;

	return span_of(identity->certificate, identity->certificate_size);
}

bool enrolment_shown_is(const struct enrolment_shown *shown, struct span certificate)
{
	struct span ours = enrolment_shown_certificate(shown);

	return ours.size == certificate.size &&
	       memcmp(ours.bytes, certificate.bytes, certificate.size) == 0;
}
