/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/emergency.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "base/printable.h"
#include "base/process.h"

#define TEXT_SIZE     2048
#define CONSOLE_WIDTH 88
#define CONSOLES_MAX  8
#define NAME_SIZE     32
#define ACTIVE_MAX    256

/* Writes what journalctl and the consoles show, still without line breaks. The reason may quote a
 * disk that somebody has changed, and a console obeys control characters: so all of it is made
 * printable. */
static void compose(const struct failure *f, char ret[TEXT_SIZE])
{
	char reason[ERR_TEXT_SIZE];

	printable_copy(f->err.text, reason, sizeof(reason));
	(void)snprintf(ret, TEXT_SIZE,
		       "Steward could not unlock the encrypted directories: %s (%s).\n"
		       "Networking stays blocked. %s\n"
		       "See: journalctl -u integrity-handler\n",
		       reason, integrity_step_name(f->step), integrity_cause_advice(f->cause));
}

/* Break lines at spaces, so that none is wider than a console's. */
static void wrap(char *text)
{
	char *line = text;
	char *space = NULL;

	for (char *at = text; *at; at++) {
		if (*at == '\n') {
			line = at + 1;
			space = NULL;
		} else if (at - line >= CONSOLE_WIDTH && space) {
			*space = '\n';
			line = space + 1;
			space = NULL;
		} else if (*at == ' ') {
			space = at;
		}
	}
}

static void write_to(const char *device, const char *title, const char *text)
{
	int fd = open(device, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC | O_APPEND);

	if (fd < 0)
		return;
	/* A console that takes nothing must not stop us. */
	if (dprintf(fd, "\r\n%s", title) > 0)
		for (const char *line = text; *line;) {
			size_t length = strcspn(line, "\n");

			(void)dprintf(fd, "%.*s\r\n", (int)length, line);
			line += length + (line[length] == '\n');
		}
	(void)close(fd);
}

struct consoles {
	char names[CONSOLES_MAX][NAME_SIZE];
	size_t n;
};

static void read_names(const char *path, struct consoles *ret)
{
	char *text = NULL;
	char *at;
	size_t size;

	ret->n = 0;
	if (file_read(path, ACTIVE_MAX, &text, &size, NULL) < 0)
		return;
	for (char *name = strtok_r(text, " \n", &at); name && ret->n < CONSOLES_MAX;
	     name = strtok_r(NULL, " \n", &at))
		(void)snprintf(ret->names[ret->n++], NAME_SIZE, "%s", name);
	free(text);
}

/* The kernel's consoles; the last one is /dev/console. tty0 is whichever is in front. */
static void read_consoles(struct consoles *ret)
{
	struct consoles front;

	read_names("/sys/class/tty/console/active", ret);
	read_names("/sys/class/tty/tty0/active", &front);
	for (size_t i = 0; i < ret->n; i++)
		if (strcmp(ret->names[i], "tty0") == 0 && front.n > 0)
			memcpy(ret->names[i], front.names[0], NAME_SIZE);
}

static void write_to_consoles(const char *title, const char *text)
{
	struct consoles consoles;
	char device[NAME_SIZE + 8];

	write_to("/dev/console", title, text);
	read_consoles(&consoles);
	for (size_t i = 0; i + 1 < consoles.n; i++) {
		(void)snprintf(device, sizeof(device), "/dev/%s", consoles.names[i]);
		write_to(device, title, text);
	}
}

void emergency_tell(const struct failure *f)
{
	char text[TEXT_SIZE];
	char tpm_rc[16];
	const struct log_fields fields = {
		.step = integrity_step_name(f->step),
		.reason = f->err.text,
		.tpm_rc = f->tpm_rc ? tpm_rc : NULL,
	};

	(void)snprintf(tpm_rc, sizeof(tpm_rc), "0x%08x", f->tpm_rc);
	compose(f, text);
	log_event(LOG_INTEGRITY_COMPROMISED, &fields,
		  "SYSTEM INTEGRITY COMPROMISED: Steward could not unlock the encrypted "
		  "directories: %s (%s). Networking stays blocked.",
		  f->err.text, integrity_step_name(f->step));
	wrap(text);
	write_to_consoles("*** SYSTEM INTEGRITY COMPROMISED ***\r\n", text);
}

void emergency_note(const char *why)
{
	char reason[ERR_TEXT_SIZE];
	char text[TEXT_SIZE];

	printable_copy(why, reason, sizeof(reason));
	(void)snprintf(text, sizeof(text), "Steward waits for the encrypted directories: %s.\n",
		       reason);
	wrap(text);
	write_to_consoles("", text);
}

/* Virtual terminals have another unit than serial lines. */
static void start_getty(const char *console)
{
	const bool is_virtual =
		strncmp(console, "tty", 3) == 0 && console[3] >= '0' && console[3] <= '9';
	char unit[NAME_SIZE + 32];
	const char *const argv[] = {"systemctl", "--no-block", "--job-mode=ignore-dependencies",
				    "start",     unit,         NULL};
	const struct process_command command = {.argv = argv, .fd = -1, .timeout_ms = 5000};
	struct process_result result;
	struct err err;

	(void)snprintf(unit, sizeof(unit), "%s@%s.service", is_virtual ? "getty" : "serial-getty",
		       console);
	if (process_run(&command, &result, &err) < 0)
		log_debug("start %s: %s", unit, err.text);
	else if (result.exit_status != 0)
		log_debug("start %s: %s", unit, result.last_line);
}

void emergency_start_gettys(void)
{
	struct consoles consoles;

	read_consoles(&consoles);
	for (size_t i = 0; i < consoles.n; i++)
		start_getty(consoles.names[i]);
}
