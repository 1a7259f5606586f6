/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/enrolment_context.h"

#include <string.h>

#include "conductor/enrolment/identity_load.h"
#include "conductor/enrolment/identity_tls.h"

int enrolment_context_init(struct enrolment_context *ret, struct registry *registry,
			   const struct config_conductor *config, uint16_t repository_port,
			   struct err *err)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->registry = registry;
	ret->repository_port = repository_port;
	ret->message_max = config->limits.message_size_bytes;
	ret->requires_post_quantum = config->post_quantum.required;
	rc = conductor_identity_load(&ret->identity, config, err);
	if (rc == 0 && config->device_id_ca) {
		rc = device_ca_load(&ret->device_ca, config->device_id_ca, config->device_id_crl,
				    err);
		ret->has_device_ca = rc == 0;
	}
	if (rc == 0 && config->endorsement_ca) {
		rc = device_ca_load(&ret->endorsement_ca, config->endorsement_ca, NULL, err);
		ret->has_endorsement_ca = rc == 0;
	}
	if (rc == 0)
		rc = identity_tls_open(&ret->tls, &ret->signer, &ret->identity, err);
	if (rc < 0)
		enrolment_context_release(ret);
	return rc;
}

void enrolment_context_release(struct enrolment_context *context)
{
	tls_context_free(context->tls);
	if (context->has_device_ca)
		device_ca_release(&context->device_ca);
	if (context->has_endorsement_ca)
		device_ca_release(&context->endorsement_ca);
	conductor_identity_release(&context->identity);
	memset(context, 0, sizeof(*context));
}
