/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/key_exchange.h"

#include <errno.h>
#include <stdio.h>

#include "base/kem.h"

void key_exchange_name(char ret[KEY_EXCHANGE_SIZE], const char *group, bool has_kem)
{
	(void)snprintf(ret, KEY_EXCHANGE_SIZE, "%s%s", group, has_kem ? "+ml-kem-768" : "");
}

int key_exchange_refuse(const char *us, const char *peer, const char *group, unsigned version,
			bool we_have, struct err *err)
{
	if (!we_have)
		return err_set(err, -EACCES,
			       "post-quantum key exchange is required, and %s itself has only %s: "
			       "its libcrypto has no " KEM_NAME
			       " (OpenSSL 3.5 and Debian 13 have); upgrade it, or set post-quantum "
			       "required to false here",
			       us, group);
	if (version < 2)
		return err_set(
			err, -EACCES,
			"post-quantum key exchange is required, %s offers only %s: its "
			"Steward is older than that; upgrade it, or set post-quantum required "
			"to false here",
			peer, group);
	return err_set(
		err, -EACCES,
		"post-quantum key exchange is required, %s offers only %s: its libcrypto has "
		"no " KEM_NAME
		" (OpenSSL 3.5 and Debian 13 have); upgrade it, or set post-quantum required "
		"to false here",
		peer, group);
}
