/* SPDX-License-Identifier: GPL-3.0-or-later */
/* enrolment_context.h - what all handshakes share: certificate, key, CAs of devices and TPMs, the
 * registry.
 *
 * None of it changes while a handshake runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/settings.h"
#include "conductor/enrolment/device_certificate.h"
#include "conductor/enrolment/identity.h"
#include "conductor/registry/registry.h"
#include "onboarding/tls_channel.h"

struct enrolment_context {
	struct registry *registry;
	struct conductor_identity identity;
	struct device_ca device_ca;
	bool has_device_ca;
	struct device_ca endorsement_ca;
	bool has_endorsement_ca;
	struct tls_signer signer;
	struct tls_context *tls;
	uint16_t repository_port;
	size_t message_max; /* bytes of JSON */
	bool requires_post_quantum;
};

int enrolment_context_init(struct enrolment_context *ret, struct registry *registry,
			   const struct config_conductor *config, uint16_t repository_port,
			   struct err *err);
void enrolment_context_release(struct enrolment_context *context);
