#include "stewardctl/watch.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/macros.h"
#include "stewardctl/member.h"
#include "stewardctl/progress.h"
#include "stewardctl/sse.h"

#define RETURN_S      30 /* a daemon that is gone is waited for */
#define PERCENT_STEP  10 /* between two lines without a change */
#define COLUMNS_USUAL 80

struct watcher {
	const char *version;
	bool json; /* each event as it came, one a line */
	bool is_terminal;
	bool utf8;
	char last_state[32];
	char last_source[64];
	unsigned last_percent;
	bool ended;
	int result;
	char reason[1024];
};

static unsigned columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return COLUMNS_USUAL;
}

static void show_bar(const struct watcher *w, const cJSON *download)
{
	char text[PROGRESS_SIZE];

	progress_bar(download, columns() - 1, w->utf8, text);
	(void)printf("\r\033[K%s", text);
	(void)fflush(stdout);
}

static void show_change(struct watcher *w, const cJSON *download)
{
	const char *state = member_text(download, "state");
	const char *source = member_text(download, "active-source");
	unsigned percent = progress_percent(download);
	char text[PROGRESS_SIZE];

	if (strcmp(state, w->last_state) == 0 && strcmp(source, w->last_source) == 0 &&
	    percent < w->last_percent + PERCENT_STEP)
		return;
	(void)snprintf(w->last_state, sizeof(w->last_state), "%s", state);
	(void)snprintf(w->last_source, sizeof(w->last_source), "%s", source);
	w->last_percent = percent / PERCENT_STEP * PERCENT_STEP;
	progress_line(download, text);
	(void)puts(text);
	(void)fflush(stdout);
}

static void show_json(const cJSON *download)
{
	char *text = cJSON_PrintUnformatted(download);

	(void)puts(text ? text : "{}");
	(void)fflush(stdout);
	free(text);
}

static void note_end(struct watcher *w, const cJSON *download)
{
	const char *state = member_text(download, "state");
	const char *error = member_text(download, "error");
	bool complete = strcmp(state, "complete") == 0;

	if (!complete && strcmp(state, "failed") != 0 && strcmp(state, "cancelled") != 0 &&
	    strcmp(state, "paused") != 0)
		return;
	w->ended = true;
	w->result = complete ? EXIT_DONE : EXIT_REFUSED;
	if (!complete)
		(void)snprintf(w->reason, sizeof(w->reason), "the download of %s is %s%s%s",
			       w->version, state, error[0] ? ": " : "", error);
}

static void take_download(struct watcher *w, const cJSON *download)
{
	if (strcmp(member_text(download, "version"), w->version) != 0)
		return;
	if (w->json)
		show_json(download);
	else if (w->is_terminal)
		show_bar(w, download);
	else
		show_change(w, download);
	note_end(w, download);
}

static bool take_event(void *owner, const char *event, const char *data)
{
	struct watcher *w = owner;
	cJSON *download = cJSON_Parse(data);

	(void)event;
	take_download(w, download);
	cJSON_Delete(download);
	return !w->ended;
}

/* The first bytes of the stream say that it listens: what happened before is asked for then, so
 * that nothing is missed in between. */
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
	cJSON *download;

	(void)snprintf(path, sizeof(path), "/v1/downloads/%s", f->watcher->version);
	if (client_call(f->client, "GET", path, NULL, &reply) != EXIT_DONE) {
		f->unknown = reply.status == 404;
		client_reply_release(&reply);
		return false;
	}
	download = cJSON_Parse(reply.body);
	take_download(f->watcher, download);
	cJSON_Delete(download);
	client_reply_release(&reply);
	return true;
}

static bool take_bytes(void *owner, const char *bytes, size_t n)
{
	struct following *f = owner;

	if (!f->asked) {
		f->asked = true;
		if (!ask_state(f) || f->watcher->ended)
			return false;
	}
	return sse_feed(&f->sse, bytes, n);
}

/* Until the download or the stream ends. Returns whether the stream had begun. */
static bool follow(struct following *f)
{
	int rc;

	f->asked = false;
	sse_init(&f->sse, take_event, f->watcher);
	rc = client_stream(f->client, "GET", "/v1/events", take_bytes, f);
	sse_release(&f->sse);
	if (rc == EXIT_REFUSED) {
		f->watcher->ended = true;
		f->watcher->result = rc;
	}
	return f->asked;
}

int watch_download(const struct client *client, const char *version, bool json)
{
	struct watcher w = {
		.version = version,
		.json = json,
		.is_terminal = !json && isatty(STDOUT_FILENO),
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
	struct following f = {.watcher = &w, .client = client};
	unsigned away_s = 0;

	while (!w.ended && !f.unknown && away_s < RETURN_S) {
		if (follow(&f)) {
			away_s = 0;
		}
		if (w.ended || f.unknown)
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
	if (!w.ended) {
		(void)fprintf(stderr, "stewardctl: the daemon did not come back within %d s\n",
			      RETURN_S);
		return EXIT_NO_DAEMON;
	}
	if (w.reason[0])
		(void)fprintf(stderr, "stewardctl: %s\n", w.reason);
	return w.result;
}
