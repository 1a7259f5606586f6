/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/watch_router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/printable.h"
#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/sse.h"
#include "stewardctl/watch_state.h"

#define RETURN_S 30 /* how long we wait for a node or a daemon that is gone */

struct node_watched {
	char name[64];
	struct watch_state download;
	char said[PROGRESS_SIZE]; /* its line, as it was shown last */
	char error[256];          /* why it cannot be asked; "" = it can */
	time_t away_since;
};

struct router_watch {
	const struct command_place *place;
	bool json;
	bool is_terminal;
	bool utf8;
	bool has_begun; /* the first event has come, which names the nodes */
	struct node_watched nodes[COMMAND_NODES_MAX];
	size_t n;
	unsigned drawn; /* lines on the terminal, above the cursor */
};

static time_t now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static bool is_refused(const struct command_place *place, const char *node)
{
	for (size_t i = 0; i < place->n_refused; i++)
		if (strcmp(place->refused[i], node) == 0)
			return true;
	return false;
}

/* The first event: the nodes that there are. */
static void take_nodes(struct router_watch *w, const cJSON *json)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, cJSON_GetObjectItem(json, "nodes")) {
		const char *name = cJSON_GetStringValue(item);

		if (w->has_begun || !name || w->n == COMMAND_NODES_MAX ||
		    is_refused(w->place, name))
			continue;
		(void)snprintf(w->nodes[w->n].name, sizeof(w->nodes[0].name), "%s", name);
		(void)snprintf(w->nodes[w->n].said, sizeof(w->nodes[0].said), "%s", name);
		w->n++;
	}
	w->has_begun = true;
}

static void draw(struct router_watch *w)
{
	if (w->drawn > 0)
		(void)printf("\033[%uA", w->drawn);
	for (size_t i = 0; i < w->n; i++)
		(void)printf("\r\033[K%s\n", w->nodes[i].said);
	w->drawn = (unsigned)w->n;
	(void)fflush(stdout);
}

static void say(struct router_watch *w, struct node_watched *node, const char *text)
{
	(void)snprintf(node->said, sizeof(node->said), "%s %s", node->name, text);
	if (w->is_terminal) {
		draw(w);
	} else if (!w->json) {
		(void)puts(node->said);
		(void)fflush(stdout);
	}
}

static void take_download(struct router_watch *w, struct node_watched *node, const cJSON *download)
{
	const bool has_changed = watch_state_has_changed(&node->download, download);
	const unsigned columns = watch_state_columns() - 1;
	const unsigned name = (unsigned)strlen(node->name) + 1;
	char text[PROGRESS_SIZE];

	node->error[0] = '\0';
	watch_state_note(&node->download, download);
	if (w->is_terminal)
		progress_bar(download, columns > name ? columns - name : 0, w->utf8, text);
	else
		progress_line(download, text);
	if (w->is_terminal || has_changed)
		say(w, node, text);
}

static void give_up(struct node_watched *node, const char *reason)
{
	node->download.ended = true;
	(void)snprintf(node->download.reason, sizeof(node->download.reason), "%s", reason);
}

/* Notes that a node is not connected, or hangs. It may come back. */
static void take_absence(struct router_watch *w, struct node_watched *node, const char *error)
{
	char text[PROGRESS_SIZE];
	unsigned columns = watch_state_columns();

	if (!node->error[0])
		node->away_since = now_s();
	if (strcmp(node->error, error) != 0) {
		(void)snprintf(node->error, sizeof(node->error), "%s", error);
		(void)snprintf(text, sizeof(text), "cannot be asked: %s", error);
		if (w->is_terminal && strlen(text) + strlen(node->name) + 2 > columns)
			printable_cut(text, columns - MIN(columns, strlen(node->name) + 2));
		say(w, node, text);
	}
	(void)snprintf(text, sizeof(text), "it did not come back within %d s: %s", RETURN_S, error);
	if (now_s() - node->away_since >= RETURN_S)
		give_up(node, text);
}

static void take_node(struct router_watch *w, const cJSON *json)
{
	const cJSON *answer = cJSON_GetObjectItem(json, "answer");
	const char *name = member_text(json, "node");
	struct node_watched *node = NULL;

	for (size_t i = 0; i < w->n && !node; i++)
		if (strcmp(w->nodes[i].name, name) == 0)
			node = &w->nodes[i];
	if (!node || node->download.ended)
		return;
	if (cJSON_IsObject(answer))
		take_download(w, node, answer);
	else if (member_number(json, "status") == 0)
		take_absence(w, node, member_text(json, "error"));
	else
		give_up(node, member_text(json, "error"));
}

static bool all_ended(const struct router_watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->nodes[i].download.ended)
			return false;
	return w->has_begun;
}

static bool take_event(void *owner, const char *event, const char *data)
{
	struct router_watch *w = owner;
	cJSON *json = harmless_parse(data);

	if (w->json)
		watch_state_say_json(data);
	if (strcmp(event, "nodes") == 0)
		take_nodes(w, json);
	else
		take_node(w, json);
	cJSON_Delete(json);
	return !all_ended(w);
}

struct stream {
	struct sse sse;
	bool has_begun;
};

static bool take_bytes(void *owner, const char *bytes, size_t n)
{
	struct stream *stream = owner;

	stream->has_begun = true;
	return sse_feed(&stream->sse, bytes, n);
}

static int tell_end(const struct router_watch *w)
{
	int rc = EXIT_DONE;

	for (size_t i = 0; i < w->n; i++) {
		if (w->nodes[i].download.complete)
			continue;
		(void)fprintf(stderr, "stewardctl: node %s: %s\n", w->nodes[i].name,
			      w->nodes[i].download.reason);
		rc = EXIT_REFUSED;
	}
	return rc;
}

static int follow(struct router_watch *w, const struct client *client, const char *path)
{
	unsigned away_s = 0;

	while (away_s < RETURN_S) {
		struct stream stream = {.has_begun = false};
		int rc;

		sse_init(&stream.sse, take_event, w);
		rc = client_stream(client, "GET", path, take_bytes, &stream);
		sse_release(&stream.sse);
		if (rc == EXIT_REFUSED)
			return rc; /* the reason was printed already */
		if (all_ended(w))
			return tell_end(w);
		if (stream.has_begun)
			away_s = 0;
		if (away_s++ == 0)
			(void)fputs("stewardctl: the daemon is gone, waiting for it\n", stderr);
		w->drawn = 0; /* the printed line counts as one of them, so all are drawn again */
		(void)sleep(1);
	}
	(void)fprintf(stderr, "stewardctl: the daemon did not come back within %d s\n", RETURN_S);
	return EXIT_NO_DAEMON;
}

int watch_router(const struct client *client, const struct command_place *place,
		 const char *version, bool json)
{
	struct router_watch *w = calloc(1, sizeof(*w));
	char path[2 * COMMAND_PATH_SIZE];
	char checked[COMMAND_PATH_SIZE];
	int rc = EXIT_REFUSED;

	if (w && command_version_path(version, "/", "/events", checked)) {
		w->place = place;
		w->json = json;
		w->is_terminal = !json && isatty(STDOUT_FILENO);
		w->utf8 = watch_state_speaks_utf8();
		(void)snprintf(path, sizeof(path), "%s%s%s", place->downloads, checked,
			       place->query);
		rc = follow(w, client, path);
	}
	free(w);
	return rc;
}
