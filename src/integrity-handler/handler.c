/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity-handler/handler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log_events.h"
#include "base/macros.h"
#include "base/notify.h"
#include "base/printable.h"
#include "integrity-handler/ahead.h"
#include "integrity-handler/typed_key.h"
#include "integrity/emergency.h"
#include "integrity/findings.h"
#include "integrity/integrity.h"
#include "integrity/request.h"
#include "integrity/status.h"

#define EXIT_EVENT 1

static void log_refused(const struct err *err)
{
	log_event(LOG_CONFIGURATION_REFUSED, &(struct log_fields){.reason = err->text},
		  "configuration refused: %s", err->text);
}

static int unlock(const char *config_path, bool *ret_refused, struct failure *f)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct integrity integrity;
	int rc;

	notify_status("unlocking the encrypted directories");
	rc = ahead_unlock(config_path, &config, &integrity, f);
	*ret_refused = !config;
	if (!config) {
		log_refused(&f->err);
		return rc;
	}
	if (rc < 0)
		return rc;
	if (integrity.state == INTEGRITY_UNLOCKED)
		notify_status("%zu directories are unlocked", config->integrity.n_directories);
	else
		notify_status("%s: %s", integrity_state_name(integrity.state), integrity.reason);
	return 0;
}

static int unlock_by_hand(const char *config_path)
{
	bool refused = false;
	struct failure f;

	if (unlock(config_path, &refused, &f) == 0)
		return EX_OK;
	if (refused)
		return EX_CONFIG;
	emergency_tell(&f);
	return EXIT_EVENT;
}

/* Tries once. A refused configuration keeps networking blocked, as an integrity event does;
 * otherwise a damaged file would mean "not enabled". But it does not get better by waiting, so
 * whoever started the unit by hand is told: *ret_refused. */
static int try_once(const char *config_path, bool *ret_refused, struct failure *f)
{
	const int rc = unlock(config_path, ret_refused, f);

	return rc < 0 && *ret_refused ? failure_because(f, CAUSE_CONFIGURATION) : rc;
}

static time_t seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* Is the TPM's driver perhaps only late? Then this is no event yet. */
static bool is_late(const struct failure *f, time_t began_s)
{
	return (f->cause == CAUSE_NO_TPM || f->tpm_absent) &&
	       seconds() - began_s < HANDLER_PATIENCE_S;
}

static void tell(const struct failure *f, time_t began_s)
{
	const bool late = is_late(f, began_s);

	if (late) {
		log_event(LOG_INTEGRITY_WAITING, &(struct log_fields){.reason = f->err.text},
			  "waiting: %s", f->err.text);
		emergency_note(f->err.text);
	} else {
		emergency_tell(f);
	}
	notify_status("%s, trying again every %d s: %s", late ? "waiting" : "integrity event",
		      HANDLER_RETRY_S, f->err.text);
}

static void pause_before_retry(void)
{
	const struct timespec pause = {.tv_sec = HANDLER_RETRY_S};

	(void)nanosleep(&pause, NULL);
}

int handler_unlock(const char *config_path, bool once)
{
	const time_t began_s = seconds();
	bool refused = false;
	struct failure f;

	if (once || !getenv("NOTIFY_SOCKET"))
		return unlock_by_hand(config_path);
	while (try_once(config_path, &refused, &f) < 0) {
		tell(&f, began_s);
		if (refused)
			return EX_CONFIG;
		/* Repeated at each try, because systemd refuses a getty whose device udev has not
		 * found yet. */
		emergency_start_gettys();
		pause_before_retry();
	}
	notify_ready();
	return EX_OK;
}

/* By hand. */

static int show(const struct config *config, struct failure *f)
{
	cJSON *status = integrity_status(&config->integrity, NULL);
	char *text = cJSON_PrintUnformatted(status);

	(void)f;
	(void)puts(text ? text : "{}");
	free(text);
	cJSON_Delete(status);
	return 0;
}

static int request_enable(const struct config *config, struct failure *f)
{
	return integrity_enable(&config->integrity, false, f);
}

static int request_migrate(const struct config *config, struct failure *f)
{
	return integrity_enable(&config->integrity, true, f);
}

static int request_reseal(const struct config *config, struct failure *f)
{
	return integrity_reseal(&config->integrity, f);
}

/* Names the pins that no configuration names: nobody knows what they protect, but it would be
 * lost. */
static void name_unnamed_pins(const struct config_integrity *config)
{
	TPM2_HANDLE pins[PINS_MAX];
	struct failure ignored = {0};
	size_t n = 0;

	/* If the TPM does not list its pins, it will not remove any either. */
	if (findings_unnamed_pins(config, pins, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		(void)printf("  and what the pin at NV index 0x%08x protects, which no "
			     "configuration names\n",
			     pins[i]);
}

static int request_recover(const struct config *config, struct failure *f)
{
	_cleanup_(secret_release) struct secret key = {0};
	int rc;

	secret_protect_process();
	rc = typed_key_read(STDIN_FILENO, &key, &f->err);
	return rc < 0 ? rc : integrity_recover(&config->integrity, &key, f);
}

/* Asks the operator to type the name of the system, because this cannot be undone. */
static int confirm(const struct config *config, struct failure *f)
{
	char line[128] = "";
	char host[128] = "";
	const char *name = config->name;

	if (!name) {
		(void)gethostname(host, sizeof(host) - 1);
		name = host;
	}
	/* If the name is empty, an empty line must not confirm. */
	if (!name[0])
		return err_set(&f->err, -ECANCELED, "this router has no name to confirm by");
	(void)printf("This destroys what is in the encrypted directories, for good:\n");
	for (size_t i = 0; i < config->integrity.n_directories; i++)
		(void)printf("  %s\n", config->integrity.directories[i]);
	name_unnamed_pins(&config->integrity);
	(void)printf("Type the router's name (%s) to go on: ", name);
	(void)fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, name) != 0)
		return err_set(&f->err, -ECANCELED, "'%s' was typed, expected '%s'", line, name);
	return 0;
}

static int request_zeroize(const struct config *config, struct failure *f)
{
	int rc = confirm(config, f);

	return rc < 0 ? rc : integrity_zeroize(&config->integrity, f);
}

static const struct {
	const char *name;
	int (*run)(const struct config *config, struct failure *f);
} requests[] = {
	{"enable", request_enable},   {"migrate", request_migrate}, {"reseal", request_reseal},
	{"recover", request_recover}, {"zeroize", request_zeroize}, {"show", show},
};

/* Prints an error. It may quote a disk that somebody has changed, and a terminal obeys control
 * characters: so it is made printable. */
static void say(const char *what, const struct err *err)
{
	char reason[ERR_TEXT_SIZE];

	printable_copy(err->text, reason, sizeof(reason));
	(void)fprintf(stderr, "integrity-handler: %s: %s\n", what, reason);
}

int handler_request(const char *config_path, const char *request)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct failure f = {0};

	if (config_load_early(&config, config_path, CONFIG_ANY, &f.err) < 0) {
		say("configuration refused", &f.err);
		return EX_CONFIG;
	}
	for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
		if (strcmp(requests[i].name, request) != 0)
			continue;
		if (requests[i].run(config, &f) == 0)
			return EX_OK;
		say(request, &f.err);
		return EXIT_EVENT;
	}
	(void)fprintf(stderr,
		      "integrity-handler: --request %s: expected enable, migrate, reseal, recover, "
		      "zeroize "
		      "or show\n",
		      request);
	return EX_USAGE;
}
