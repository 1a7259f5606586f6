/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The end of the onboarding: the configuration that a conductor sends, the reboot with it, and what
 * is sent later. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kept_file.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "onboarding/router/onboarding_private.h"
#include "onboarding/router/onboarding_rules.h"

#define ROUTER_FILE "router.json"

static int write_configuration(struct onboarding *o, const char *configuration, struct err *err)
{
	char *text = NULL;
	int rc = o->options.check_configuration(o->options.config_path, configuration, err);

	if (rc == 0 && asprintf(&text, "{\"steward:router\":%s}\n", configuration) < 0)
		rc = err_set(err, -ENOMEM, "out of memory");
	if (rc == 0)
		rc = kept_file_write(o->options.config->secrets_directory, ROUTER_FILE,
				     span_of_string(text), err);
	token_text_free(&text); /* it may have passwords of sources */
	return rc;
}

static void on_commanding(struct reboot *r)
{
	struct onboarding *o = container_of(r, struct onboarding, reboot);

	if (o->records.now.state != ONBOARDING_INITIALIZING)
		return;
	o->records.now.is_reboot_commanded = true;
	(void)onboarding_keep(o, &o->records.now);
}

static void on_reboot_failed(struct reboot *r, const char *reason)
{
	struct onboarding *o = container_of(r, struct onboarding, reboot);
	char text[ONBOARDING_REASON_SIZE];

	(void)snprintf(text, sizeof(text), "the router could not be rebooted, reboot it: %s",
		       reason);
	log_event(LOG_ONBOARDING_FAILED, &(struct log_fields){.reason = reason}, "%s", text);
	if (o->records.now.state != ONBOARDING_INITIALIZING)
		return;
	o->records.now.is_reboot_commanded = false;
	(void)onboarding_set_state(o, &o->records.now, ONBOARDING_INITIALIZING, text);
}

/* Nobody needs the token any more. A reboot that the disk does not know of would come up connected,
 * with a configuration that its conductor believes taken: no reboot then, and it asks again. */
static int begin_initialization(struct onboarding *o, struct err *err)
{
	struct onboarding_record after = o->records.now;

	after.token = NULL; /* the token belongs to the other record */
	after.state = ONBOARDING_INITIALIZING;
	after.reason[0] = '\0';
	memcpy(after.boot_id, o->boot_id, sizeof(o->boot_id));
	return onboarding_replace(o, &o->records.now, &after, err);
}

/* While we try a newer token, a conductor may have enrolled us by it without our knowing yet. Its
 * request then belongs to the state that comes next. So we refuse, and the conductor asks again. */
int onboarding_initialize(struct onboarding *o, const char *configuration, struct err *err)
{
	int rc;

	if (onboarding_is_tried(onboarding_records_tried(&o->records)))
		return err_set(err, -EBUSY, "a token is being tried");
	if (o->records.now.state == ONBOARDING_ONBOARDED ||
	    o->records.now.state == ONBOARDING_INITIALIZING)
		return onboarding_configure(o, configuration, err);
	if (o->records.now.state != ONBOARDING_CONNECTED)
		return err_set(err, -EBUSY, "this router is %s",
			       onboarding_state_name(o->records.now.state));
	rc = write_configuration(o, configuration, err);
	if (rc == 0)
		rc = begin_initialization(o, err);
	if (rc < 0)
		return rc;
	reboot_start(&o->reboot);
	return 0;
}

int onboarding_configure(struct onboarding *o, const char *configuration, struct err *err)
{
	if (o->records.now.state != ONBOARDING_ONBOARDED &&
	    o->records.now.state != ONBOARDING_INITIALIZING)
		return err_set(err, -EBUSY, "this router is %s",
			       onboarding_state_name(o->records.now.state));
	return write_configuration(o, configuration, err);
}

void onboarding_init_reboot(struct onboarding *o)
{
	static const char *const by_default[] = {"systemctl", "reboot", NULL};
	static const struct reboot_callbacks callbacks = {
		.commanding = on_commanding,
		.failed = on_reboot_failed,
	};
	const struct config_onboarding *config = o->options.config;

	reboot_init(&o->reboot, o->options.loop,
		    config->n_reboot_command > 0 ? (const char *const *)config->reboot_command
						 : by_default,
		    &callbacks);
}

void onboarding_end_initialization(struct onboarding *o)
{
	if (onboarding_has_rebooted(&o->records.now, o->boot_id))
		(void)onboarding_set_state(o, &o->records.now, ONBOARDING_ONBOARDED, "");
	else
		reboot_start(&o->reboot);
}
