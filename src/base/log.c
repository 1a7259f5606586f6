/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/macros.h"
#include "base/printable.h"

#define TEXT_SIZE    2048
#define FIELD_SIZE   1280
#define FIELDS_MAX   12
#define JOURNAL_PATH "/run/systemd/journal/socket"

static struct {
	const char *program;
	bool to_stderr;
	bool to_journal;
	bool debug;
} log_state = {.program = "steward", .to_stderr = true};

void log_open(const char *program, bool to_stderr)
{
	log_state.program = program;
	log_state.to_journal = access(JOURNAL_PATH, F_OK) == 0;
	log_state.to_stderr = to_stderr || !log_state.to_journal;
	log_state.debug = getenv("STEWARD_DEBUG") != NULL;
}

static const char *priority_name(int priority)
{
	static const char *const names[] = {"emergency", "alert",  "critical", "error",
					    "warning",   "notice", "info",     "debug"};

	return names[priority];
}

static void write_stderr(int priority, const char *text)
{
	char stamp[32];
	time_t now = time(NULL);
	struct tm utc;

	if (!log_state.to_stderr)
		return;
	(void)gmtime_r(&now, &utc);
	if (strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		stamp[0] = '\0';
	(void)fprintf(stderr, "%s %s %s\n", stamp, priority_name(priority), text);
}

struct journal_entry {
	char text[FIELDS_MAX][FIELD_SIZE];
	struct iovec fields[FIELDS_MAX];
	int n;
};

static void add_field(struct journal_entry *entry, const char *name, const char *value)
{
	char printable[FIELD_SIZE - 32];
	int length;

	if (!value)
		return;
	printable_copy(value, printable, sizeof(printable));
	length = snprintf(entry->text[entry->n], FIELD_SIZE, "%s=%s", name, printable);
	entry->fields[entry->n] = (struct iovec){
		.iov_base = entry->text[entry->n],
		.iov_len = (size_t)length,
	};
	entry->n++;
}

static void write_journal(const struct log_event *event, const struct log_fields *fields,
			  const char *text)
{
	struct journal_entry entry;
	char priority[2] = {(char)('0' + event->priority), '\0'};

	if (!log_state.to_journal)
		return;
	entry.n = 0;
	add_field(&entry, "MESSAGE", text);
	add_field(&entry, "MESSAGE_ID", event->id); /* only events have one, debug lines do not */
	add_field(&entry, "PRIORITY", priority);
	add_field(&entry, "SYSLOG_IDENTIFIER", log_state.program);
	if (fields) {
		add_field(&entry, "STEWARD_VERSION", fields->version);
		add_field(&entry, "STEWARD_SOURCE", fields->source);
		add_field(&entry, "STEWARD_STATE", fields->state);
		add_field(&entry, "STEWARD_REASON", fields->reason);
		add_field(&entry, "STEWARD_STEP", fields->step);
		add_field(&entry, "STEWARD_TPM_RC", fields->tpm_rc);
	}
	(void)sd_journal_sendv(entry.fields, entry.n);
}

void log_event(const struct log_event *event, const struct log_fields *fields, const char *format,
	       ...)
{
	char raw[TEXT_SIZE];
	char text[TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	printable_copy(raw, text, sizeof(text));
	write_stderr(event->priority, text);
	write_journal(event, fields, text);
}

/* No event: it has no MESSAGE_ID. */
static const struct log_event debug_line = {.priority = LOG_DEBUG};

void log_debug(const char *format, ...)
{
	char raw[TEXT_SIZE];
	char text[TEXT_SIZE];
	va_list arguments;

	if (!log_state.debug)
		return;
	va_start(arguments, format);
	(void)vsnprintf(raw, sizeof(raw), format, arguments);
	va_end(arguments);
	printable_copy(raw, text, sizeof(text));
	write_stderr(LOG_DEBUG, text);
	write_journal(&debug_line, NULL, text);
}
