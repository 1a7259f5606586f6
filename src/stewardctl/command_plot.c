/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/command_plot.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/atomic_file.h"
#include "download/history_json.h"
#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/plot_svg.h"
#include "stewardctl/plot_text.h"
#include "stewardctl/watch_state.h"

/* The answer may be a router's, and so is checked as a file is. The caller releases *ret. */
static bool read_history(struct history *ret, const cJSON *answer)
{
	char *text = cJSON_PrintUnformatted(answer);
	struct err err;
	int rc;

	history_init(ret);
	rc = text ? history_parse(ret, span_of_string(text), &err)
		  : err_set(&err, -1, "out of memory");
	free(text);
	if (rc == 0)
		return true;
	(void)err_wrap(&err, "the history that was sent makes no sense");
	harmless_complain(&err);
	return false;
}

static void show_plot(const cJSON *answer)
{
	struct history history;

	if (!read_history(&history, answer))
		return;
	(void)printf("Version   %s\nState     %s\n", member_text(answer, "version"),
		     member_text(answer, "state"));
	plot_text(&history, watch_state_columns(), watch_state_speaks_utf8(), stdout);
	history_release(&history);
}

static int write_svg(const struct history *history, const char *version, const char *file)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct err err;
	int rc;

	if (!out)
		return EXIT_REFUSED;
	plot_svg(history, version, out);
	if (fclose(out) == 0)
		rc = atomic_file_write(file, span_of(text, size), 0644, &err);
	else
		rc = err_set(&err, -1, "%s: out of memory", file);
	free(text);
	if (rc == 0)
		return EXIT_DONE;
	harmless_complain(&err);
	return EXIT_REFUSED;
}

/* The answer of the only node, or of this one. NULL: it was said what is wrong. */
static const cJSON *answer_of(const cJSON *reply, bool is_through_conductor)
{
	const cJSON *node = cJSON_GetArrayItem(cJSON_GetObjectItem(reply, "nodes"), 0);
	const cJSON *answer = cJSON_GetObjectItem(node, "answer");

	if (!is_through_conductor)
		return reply;
	if (cJSON_IsObject(answer))
		return answer;
	(void)fprintf(stderr, "stewardctl: node %s: %s\n", member_text(node, "node"),
		      member_text(node, "error"));
	return NULL;
}

static int save_plot(const struct invocation *invocation, const struct command_place *place,
		     const char *version, const char *file)
{
	char path[2 * COMMAND_PATH_SIZE];
	char rest[COMMAND_PATH_SIZE];
	struct client client = command_client(invocation);
	struct client_reply reply;
	struct history history;
	const cJSON *answer;
	cJSON *json;
	int rc;

	if (!command_version_path(version, "/", "/history", rest))
		return EXIT_REFUSED;
	(void)snprintf(path, sizeof(path), "%s%s%s", place->downloads, rest, place->query);
	rc = client_call(&client, "GET", path, NULL, &reply);
	json = rc == EXIT_DONE ? harmless_parse(reply.body ? reply.body : "{}") : NULL;
	client_reply_release(&reply);
	answer = json ? answer_of(json, place->is_through_conductor) : NULL;
	if (rc == EXIT_DONE)
		rc = EXIT_REFUSED;
	else
		return rc;
	if (answer && read_history(&history, answer)) {
		rc = write_svg(&history, version, file);
		history_release(&history);
	}
	cJSON_Delete(json);
	return rc;
}

int command_plot(const struct invocation *invocation, struct command_place *place,
		 const char *version, const char *file)
{
	if (!file)
		return command_ask_place(invocation, place, "GET", version, "/history", NULL,
					 show_plot);
	if (place->is_through_conductor && !place->query[0]) {
		(void)fputs(
			"stewardctl: one file takes one picture: name the node, too ('node N')\n",
			stderr);
		return EXIT_USAGE;
	}
	return save_plot(invocation, place, version, file);
}
