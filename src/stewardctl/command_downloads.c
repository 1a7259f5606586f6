/* SPDX-License-Identifier: GPL-3.0-or-later */
/* show system, show and request system software download ..., request system reload. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stewardctl/command_place.h"
#include "stewardctl/command_plot.h"
#include "stewardctl/commands.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"
#include "stewardctl/watch.h"
#include "stewardctl/watch_router.h"

int command_show_system(const struct invocation *invocation)
{
	return command_ask(invocation, "GET", "/v1/status", NULL, show_status);
}

/* NULL = it is drawn on the terminal. */
static const char *file_of(const char *plot)
{
	return strcmp(plot, "plot") == 0 ? NULL : plot;
}

static bool is_usable(const char *version, bool watches, const char *plot)
{
	const char *wrong = NULL;

	if (watches && plot)
		wrong = "'watch' and 'plot' cannot stand together";
	else if (!version && watches)
		wrong = "'watch' needs 'version V'";
	else if (!version && plot)
		wrong = "'plot' needs 'version V'";
	if (wrong)
		(void)fprintf(stderr, "stewardctl: %s\n", wrong);
	return !wrong;
}

int command_show_download(const struct invocation *invocation)
{
	const char *version = invocation_value(invocation, "version");
	const char *plot = invocation_value(invocation, "plot");
	const bool watches = invocation_value(invocation, "watch") != NULL;
	struct client client = command_client(invocation);
	struct command_place place;
	int rc;

	if (!is_usable(version, watches, plot))
		return EXIT_USAGE;
	rc = command_find_place(invocation, &place);
	if (rc != EXIT_DONE)
		return rc;
	if (plot)
		return command_plot(invocation, &place, version, file_of(plot));
	if (watches && place.is_through_conductor)
		return watch_router(&client, &place, version, invocation->json);
	if (watches)
		return watch_download(&client, version, invocation->json);
	return command_ask_place(invocation, &place, "GET", version, "", NULL,
				 version ? show_download : show_downloads);
}

int command_show_available(const struct invocation *invocation)
{
	const char *path = invocation_value(invocation, "refresh") ? "/v1/versions?refresh=true"
								   : "/v1/versions";

	return command_ask(invocation, "GET", path, NULL, show_versions);
}

static void say_state(const cJSON *download)
{
	(void)printf("%s is %s\n", member_text(download, "version"),
		     member_text(download, "state"));
}

static char *order_of(const struct invocation *invocation)
{
	cJSON *order = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(order, "version", invocation_value(invocation, "version"));
	cJSON_AddBoolToObject(order, "sequenced",
			      invocation_value(invocation, "sequenced") != NULL);
	cJSON_AddBoolToObject(order, "force", invocation_value(invocation, "force") != NULL);
	text = cJSON_PrintUnformatted(order);
	cJSON_Delete(order);
	return text;
}

/* Watches the nodes that took the order. If a node refused it, that decides the exit status,
 * whatever becomes of the others. */
static int watch_accepted(const struct client *client, const struct command_place *place,
			  const char *version, bool json, int rc)
{
	int watched;

	if (place->n_refused >= place->n_asked)
		return rc;
	watched = watch_router(client, place, version, json);
	return watched == EXIT_DONE ? rc : watched;
}

int command_download(const struct invocation *invocation)
{
	const char *version = invocation_value(invocation, "version");
	const bool watches = invocation_value(invocation, "watch") != NULL;
	struct client client = command_client(invocation);
	char checked[COMMAND_PATH_SIZE];
	struct command_place place;
	char *order;
	int rc;

	if (!command_version_path(version, "", "", checked))
		return EXIT_REFUSED;
	rc = command_find_place(invocation, &place);
	if (rc != EXIT_DONE)
		return rc;
	order = order_of(invocation);
	rc = command_ask_place(invocation, &place, "POST", NULL, "", order,
			       watches ? NULL : say_state);
	free(order);
	if (watches && place.is_through_conductor)
		return watch_accepted(&client, &place, version, invocation->json, rc);
	if (rc == EXIT_DONE && watches)
		rc = watch_download(&client, version, invocation->json);
	return rc;
}

static int change(const struct invocation *invocation, const char *action, const char *body)
{
	struct command_place place;
	int rc = command_find_place(invocation, &place);

	if (rc != EXIT_DONE)
		return rc;
	return command_ask_place(invocation, &place, "POST",
				 invocation_value(invocation, "version"), action, body, say_state);
}

int command_pause(const struct invocation *invocation)
{
	return change(invocation, "/pause", "");
}

int command_resume(const struct invocation *invocation)
{
	return change(invocation, "/resume", "");
}

int command_cancel(const struct invocation *invocation)
{
	return change(invocation, "/cancel",
		      invocation_value(invocation, "force") ? "{\"force\":true}" : "");
}

static void say_reloaded(const cJSON *answer)
{
	(void)answer;
	(void)puts("the configuration is loaded");
}

int command_reload(const struct invocation *invocation)
{
	return command_ask(invocation, "POST", "/v1/reload", "", say_reloaded);
}
