/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/trusted_keys.h"

#include <errno.h>
#include <stdlib.h>

int trusted_keys_load(struct trusted_keys *ret, const struct config *config, struct err *warning,
		      struct err *err)
{
	const struct config_software_update *update = &config->software_update;
	struct trusted_keys keys = {0};

	warning->code = 0;
	keys.keys = calloc(update->n_trusted_keys + 1, sizeof(*keys.keys));
	if (!keys.keys)
		return err_set(err, -ENOMEM, "trusted keys: out of memory");
	for (size_t i = 0; i < update->n_trusted_keys; i++) {
		if (jws_key_load_public(&keys.keys[keys.n], update->trusted_keys[i], warning) == 0)
			keys.n++;
		else
			(void)err_wrap(warning, "trusted-key %s", update->trusted_keys[i]);
	}
	if (keys.n > 0) {
		*ret = keys;
		return 0;
	}
	trusted_keys_release(&keys);
	if (warning->code < 0)
		return err_set(err, warning->code, "%s", warning->text);
	return err_set(err, -ENOKEY, "no trusted-key is configured: no manifest can be verified");
}

void trusted_keys_release(struct trusted_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		jws_key_release(&keys->keys[i]);
	free(keys->keys);
	keys->keys = NULL;
	keys->n = 0;
}
