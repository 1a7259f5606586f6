/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.h - structured entries in the journal; readable lines on stderr where there is none.
 *
 * An event is something an operator may act on: it has a MESSAGE_ID (base/log_events.h) and an
 * entry in packaging/steward.catalog. Everything else is a debug line, shown with STEWARD_DEBUG
 * in the environment. The libraries' folders log events where they handle them, never on the
 * way up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct log_event {
	const char *id; /* MESSAGE_ID, 32 hex digits */
	int priority;   /* of syslog(3) */
	const char *name;
};

/* NULL = the field is left out. */
struct log_fields {
	const char *version; /* STEWARD_VERSION */
	const char *source;  /* STEWARD_SOURCE */
	const char *state;   /* STEWARD_STATE */
	const char *reason;  /* STEWARD_REASON */
	const char *step;    /* STEWARD_STEP */
	const char *tpm_rc;  /* STEWARD_TPM_RC */
};

/* program: SYSLOG_IDENTIFIER. to_stderr: also when there is a journal. */
void log_open(const char *program, bool to_stderr);

/* fields may be NULL. What a stranger wrote may stand in any of the texts. */
void log_event(const struct log_event *event, const struct log_fields *fields, const char *format,
	       ...) __attribute__((format(printf, 3, 4)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
