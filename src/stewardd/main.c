/* stewardd - the router's daemon. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sysexits.h>

#include "core/log.h"
#include "core/log_events.h"
#include "stewardd/daemon.h"
#include "stewardd/options.h"

static struct daemon router;

int main(int argc, char **argv)
{
	struct options options;
	struct config *config;
	struct err err;
	int rc = options_parse(&options, argc, argv);

	if (rc >= 0)
		return rc;
	log_open("stewardd", options.foreground || options.check);
	(void)signal(SIGPIPE, SIG_IGN);
	if (config_load(&config, options.config, &err) < 0) {
		log_event(LOG_CONFIGURATION_REFUSED, &(struct log_fields){.reason = err.text},
			  "configuration refused: %s", err.text);
		return err.code == -EACCES ? EX_NOPERM : EX_CONFIG;
	}
	if (options.check) {
		(void)printf("%s is valid\n", options.config);
		config_free(config);
		return EX_OK;
	}
	return daemon_run(&router, options.config, config);
}
