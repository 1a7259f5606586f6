/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identity_tls.h - the conductor's certificate, shown in TLS; and what a router would say to it.
 */
#pragma once

#include "base/settings.h"
#include "conductor/enrolment/identity.h"
#include "onboarding/tls_channel.h"

/* A context that shows the certificate and what leads from it to the CA. ret_signer is the
 * context's and signs with the identity's key: both as long as the context. -EINVAL: no chain that
 * a peer keeps; -ENOMEM. */
int identity_tls_open(struct tls_context **ret, struct tls_signer *ret_signer,
		      const struct conductor_identity *identity, struct err *err);

/* Shake hands with it in memory, as a router does that has a token of it, and judge what comes as
 * that router would. -EINVAL: it would refuse, and err says why; -ENOMEM. */
int identity_tls_rehearse(const struct conductor_identity *identity,
			  const struct config_conductor *config, struct err *err);
