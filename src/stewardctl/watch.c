/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/sse.h"
#include "stewardctl/watch_state.h"

#define RETURN_S 30 /* how long we wait for a daemon that is gone */

struct watcher {
	const char *version;
	bool json; /* each event as it came, one a line */
	bool is_terminal;
	bool utf8;
	struct watch_state watched;
};

static void show_bar(const struct watcher *w, const cJSON *download)
{
	char text[PROGRESS_SIZE];

	progress_bar(download, watch_state_columns() - 1, w->utf8, text);
	(void)printf("\r\033[K%s", text);
	(void)fflush(stdout);
}

static void show_change(struct watcher *w, const cJSON *download)
{
	char text[PROGRESS_SIZE];

	if (!watch_state_has_changed(&w->watched, download))
		return;
	progress_line(download, text);
	(void)puts(text);
	(void)fflush(stdout);
}

/* text is the event as it came. */
static void take_download(struct watcher *w, const char *text)
{
	cJSON *download = harmless_parse(text);

	if (strcmp(member_text(download, "version"), w->version) == 0) {
		if (w->json)
			watch_state_say_json(text);
		else if (w->is_terminal)
			show_bar(w, download);
		else
			show_change(w, download);
		watch_state_note(&w->watched, download);
	}
	cJSON_Delete(download);
}

static bool take_event(void *owner, const char *event, const char *data)
{
	struct watcher *w = owner;

	if (strcmp(event, "state") == 0 || strcmp(event, "progress") == 0)
		take_download(w, data);
	return !w->watched.ended;
}

/* With the first bytes of the stream the daemon has begun to tell events. Only then is the
 * present state asked for, so that nothing in between is missed. */
struct following {
	struct watcher *watcher;
	const struct client *client;
	struct sse sse;
	bool asked;
	bool unknown; /* there is no such download */
};

static bool ask_state(struct following *f)
{
	struct client_reply reply;
	char path[256];

	(void)snprintf(path, sizeof(path), "/v1/downloads/%s", f->watcher->version);
	if (client_call(f->client, "GET", path, NULL, &reply) != EXIT_DONE) {
		f->unknown = reply.status == 404;
		client_reply_release(&reply);
		return false;
	}
	take_download(f->watcher, reply.body);
	client_reply_release(&reply);
	return true;
}

static bool take_bytes(void *owner, const char *bytes, size_t n)
{
	struct following *f = owner;

	if (!f->asked) {
		f->asked = true;
		if (!ask_state(f) || f->watcher->watched.ended)
			return false;
	}
	return sse_feed(&f->sse, bytes, n);
}

/* Follows until the download or the stream ends. Returns whether the stream had begun. */
static bool follow(struct following *f)
{
	int rc;

	f->asked = false;
	sse_init(&f->sse, take_event, f->watcher);
	rc = client_stream(f->client, "GET", "/v1/events", take_bytes, f);
	sse_release(&f->sse);
	if (rc == EXIT_REFUSED)
		f->watcher->watched.ended = true;
	return f->asked;
}

int watch_download(const struct client *client, const char *version, bool json)
{
	struct watcher w = {
		.version = version,
		.json = json,
		.is_terminal = !json && isatty(STDOUT_FILENO),
		.utf8 = watch_state_speaks_utf8(),
	};
	struct following f = {.watcher = &w, .client = client};
	unsigned away_s = 0;

	while (!w.watched.ended && !f.unknown && away_s < RETURN_S) {
		if (follow(&f)) {
			away_s = 0;
		}
		if (w.watched.ended || f.unknown)
			break;
		if (away_s++ == 0)
			(void)fprintf(stderr, "%sstewardctl: the daemon is gone, waiting for it\n",
				      w.is_terminal ? "\n" : "");
		(void)sleep(1);
	}
	if (w.is_terminal)
		(void)puts("");
	if (f.unknown)
		return EXIT_REFUSED;
	if (!w.watched.ended) {
		(void)fprintf(stderr, "stewardctl: the daemon did not come back within %d s\n",
			      RETURN_S);
		return EXIT_NO_DAEMON;
	}
	if (w.watched.reason[0])
		(void)fprintf(stderr, "stewardctl: %s\n", w.watched.reason);
	return w.watched.complete ? EXIT_DONE : EXIT_REFUSED;
}
