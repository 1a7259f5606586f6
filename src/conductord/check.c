/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#include "conductor/enrolment/device_certificate.h"
#include "conductor/enrolment/identity_load.h"
#include "conductor/registry/registry.h"

/* Checks only the URI. The database is connected to when it is first asked. */
static int check_registry(const struct config *config, struct err *err)
{
	struct registry *registry = NULL;
	int rc = registry_open(&registry, config->conductor.registry, config->name, err);

	if (rc == 0)
		registry_close(registry);
	return rc;
}

static int check_identity(const struct config *config, struct err *err)
{
	struct conductor_identity identity = {0};
	int rc = conductor_identity_load(&identity, &config->conductor, err);

	conductor_identity_release(&identity);
	return rc;
}

static int check_cas(const char *path, const char *crl_path, struct err *err)
{
	struct device_ca ca = {0};
	int rc = path ? device_ca_load(&ca, path, crl_path, err) : 0;

	device_ca_release(&ca);
	return rc;
}

static int check_devices(const struct config *config, struct err *err)
{
	const struct config_conductor *conductor = &config->conductor;
	int rc = check_cas(conductor->device_id_ca, conductor->device_id_crl, err);

	return rc < 0 ? rc : check_cas(conductor->endorsement_ca, NULL, err);
}

int conductor_check(const struct config *config, char *ret_untold, size_t size, struct err *err)
{
	static int (*const checks[])(const struct config *config, struct err *err) = {
		check_registry, check_identity, check_devices};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct err why = {0};
		int rc = checks[i](config, &why);

		if (rc == -ENOENT)
			(void)snprintf(ret_untold, size, "%s", why.text);
		else if (rc < 0)
			return err_set(err, rc, "%s", why.text);
	}
	return 0;
}
