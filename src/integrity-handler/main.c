/* SPDX-License-Identifier: GPL-3.0-or-later */
/* integrity-handler - opens the encrypted directories before anything networks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "base/options.h"
#include "integrity-handler/handler.h"
#include "integrity-handler/lean_crypto.h"

static int check(const char *path)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct err err;

	if (config_load_early(&config, path, CONFIG_ANY, &err) < 0) {
		log_event(LOG_CONFIGURATION_REFUSED, &(struct log_fields){.reason = err.text},
			  "configuration refused: %s", err.text);
		return err.code == -EACCES ? EX_NOPERM : EX_CONFIG;
	}
	(void)printf("%s is valid\n", path);
	return EX_OK;
}

int main(int argc, char **argv)
{
	bool once = false;
	const char *request = NULL;
	const struct options_more more[] = {
		{"once", &once, NULL, "--once         one try, then exit: 1 on an integrity event"},
		{"request", NULL, &request,
		 "--request R    enable, migrate, reseal, recover, zeroize or show"},
	};
	const struct options_program program = {
		.name = "integrity-handler",
		.config = config_default_path(),
		.more = more,
		.n_more = N_ELEMENTS(more),
	};
	struct options options;
	int rc = options_parse(&options, &program, argc, argv);

	if (rc >= 0)
		return rc;
	lean_crypto_init();
	log_open("integrity-handler",
		 options.foreground || options.check || request || !getenv("NOTIFY_SOCKET"));
	if (options.check)
		return check(options.config);
	if (geteuid() != 0) {
		(void)fprintf(stderr,
			      "integrity-handler: only root may unlock or encrypt "
			      "directories, this is user %u\n",
			      geteuid());
		return EX_NOPERM;
	}
	return request ? handler_request(options.config, request)
		       : handler_unlock(options.config, once);
}
