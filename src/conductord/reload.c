/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/reload.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/macros.h"

/* Are these two values the same? NULL = not configured. */
static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int conductor_check_reload(const struct config *old, const struct config *new, struct err *err)
{
	const struct {
		const char *leaf;
		const char *old;
		const char *new;
	} rows[] = {
		{"name", old->name, new->name},
		{"address", old->conductor.address, new->conductor.address},
		{"certificate", old->conductor.certificate, new->conductor.certificate},
		{"private-key", old->conductor.private_key, new->conductor.private_key},
		{"private-key-passphrase-file", old->conductor.private_key_passphrase_file,
		 new->conductor.private_key_passphrase_file},
		{"ca-certificate", old->conductor.ca_certificate, new->conductor.ca_certificate},
		{"registry", old->conductor.registry, new->conductor.registry},
		{"device-id-ca", old->conductor.device_id_ca, new->conductor.device_id_ca},
		{"endorsement-ca", old->conductor.endorsement_ca, new->conductor.endorsement_ca},
		{"device-id-crl", old->conductor.device_id_crl, new->conductor.device_id_crl},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (!is_same(rows[i].old, rows[i].new))
			return err_set(err, -EINVAL, "%s cannot change without a restart",
				       rows[i].leaf);
	return old->conductor.port == new->conductor.port
		       ? 0
		       : err_set(err, -EINVAL, "port cannot change without a restart");
}
