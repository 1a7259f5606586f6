/* show system, show and request system software download ..., request system reload. */
#include <stdio.h>
#include <stdlib.h>

#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"
#include "stewardctl/watch.h"

int command_show_system(const struct invocation *invocation)
{
	return command_ask(invocation, "GET", "/v1/status", NULL, show_status);
}

int command_show_download(const struct invocation *invocation)
{
	const char *version = invocation_value(invocation, "version");
	struct client client = command_client(invocation);
	char path[COMMAND_PATH_SIZE];
	int rc;

	if (!version && invocation_value(invocation, "watch")) {
		(void)fputs("stewardctl: 'watch' needs 'version V'\n", stderr);
		return EXIT_USAGE;
	}
	rc = command_check_node(invocation);
	if (rc != EXIT_DONE)
		return rc;
	if (!version)
		return command_ask(invocation, "GET", "/v1/downloads", NULL, show_downloads);
	if (!command_version_path(version, "/v1/downloads/", "", path))
		return EXIT_REFUSED;
	if (invocation_value(invocation, "watch"))
		return watch_download(&client, version, invocation->json);
	return command_ask(invocation, "GET", path, NULL, show_download);
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

int command_download(const struct invocation *invocation)
{
	const char *version = invocation_value(invocation, "version");
	struct client client = command_client(invocation);
	char path[COMMAND_PATH_SIZE];
	cJSON *request;
	char *body;
	int rc;

	if (!command_version_path(version, "", "", path))
		return EXIT_REFUSED;
	rc = command_check_node(invocation);
	if (rc != EXIT_DONE)
		return rc;
	request = cJSON_CreateObject();
	cJSON_AddStringToObject(request, "version", version);
	cJSON_AddBoolToObject(request, "sequenced",
			      invocation_value(invocation, "sequenced") != NULL);
	cJSON_AddBoolToObject(request, "force", invocation_value(invocation, "force") != NULL);
	body = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	rc = command_ask(invocation, "POST", "/v1/downloads", body,
			 invocation_value(invocation, "watch") ? NULL : say_state);
	free(body);
	if (rc == EXIT_DONE && invocation_value(invocation, "watch"))
		rc = watch_download(&client, version, invocation->json);
	return rc;
}

static int change(const struct invocation *invocation, const char *what, const char *body)
{
	char path[COMMAND_PATH_SIZE];
	int rc = command_check_node(invocation);

	if (rc != EXIT_DONE)
		return rc;
	if (!command_version_path(invocation_value(invocation, "version"), "/v1/downloads/", what,
				  path))
		return EXIT_REFUSED;
	return command_ask(invocation, "POST", path, body, say_state);
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
