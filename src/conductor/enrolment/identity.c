/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/enrolment/identity.h"

#include <stdlib.h>
#include <string.h>

void conductor_identity_release(struct conductor_identity *identity)
{
	jws_key_release(&identity->key);
	free(identity->certificate);
	free(identity->ca_certificate);
	free(identity->chain);
	memset(identity, 0, sizeof(*identity));
}
