#include "stewardctl/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/atomic_file.h"
#include "core/macros.h"
#include "core/span.h"
#include "download/manifest.h"
#include "download/manifest_create.h"
#include "download/manifest_payload.h"
#include "stewardctl/client.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"
#include "stewardctl/sse.h"
#include "stewardctl/watch.h"

#define PATH_SIZE 256

static struct client client_of(const struct invocation *invocation)
{
	struct client client;

	client_init(&client, invocation->socket);
	return client;
}

/* <before><version><after>. A version that the daemon would refuse anyway never gets into a URL.
 * Returns whether it may. */
static bool version_path(const char *version, const char *before, const char *after,
			 char ret[PATH_SIZE])
{
	if (!manifest_name_is_valid(version)) {
		(void)fprintf(stderr, "stewardctl: '%s' is not the name of a version\n", version);
		return false;
	}
	(void)snprintf(ret, PATH_SIZE, "%s%s%s", before, version, after);
	return true;
}

/* Ask, and show the answer: as it came with --json, else with show (NULL = say nothing). */
static int ask(const struct invocation *invocation, const char *method, const char *path,
	       const char *body, void (*show)(const cJSON *answer))
{
	struct client client = client_of(invocation);
	struct client_reply reply;
	int rc = client_call(&client, method, path, body, &reply);

	if (rc == EXIT_DONE && invocation->json && reply.body) {
		(void)puts(reply.body);
	} else if (rc == EXIT_DONE && show) {
		cJSON *answer = cJSON_Parse(reply.body ? reply.body : "{}");

		show(answer);
		cJSON_Delete(answer);
	}
	client_reply_release(&reply);
	return rc;
}

/* The daemon looks after one node: `router R` and `node N` name it, and another is refused. */
static int check_node(const struct invocation *invocation)
{
	const char *router = invocation_value(invocation, "router");
	const char *node = invocation_value(invocation, "node");
	struct client client = client_of(invocation);
	struct client_reply reply;
	cJSON *status;
	int rc;

	if (!router && !node)
		return EXIT_DONE;
	rc = client_call(&client, "GET", "/v1/status", NULL, &reply);
	status = rc == EXIT_DONE ? cJSON_Parse(reply.body) : NULL;
	if (rc == EXIT_DONE && ((router && strcmp(router, member_text(status, "name")) != 0) ||
				(node && strcmp(node, member_text(status, "node")) != 0))) {
		(void)fprintf(stderr, "stewardctl: this is router %s, node %s\n",
			      member_text(status, "name"), member_text(status, "node"));
		rc = EXIT_REFUSED;
	}
	cJSON_Delete(status);
	client_reply_release(&reply);
	return rc;
}

static int run_show_system(const struct invocation *invocation)
{
	return ask(invocation, "GET", "/v1/status", NULL, show_status);
}

static int run_show_download(const struct invocation *invocation)
{
	const char *version = invocation_value(invocation, "version");
	struct client client = client_of(invocation);
	char path[PATH_SIZE];
	int rc;

	if (!version && invocation_value(invocation, "watch")) {
		(void)fputs("stewardctl: 'watch' needs 'version V'\n", stderr);
		return EXIT_USAGE;
	}
	rc = check_node(invocation);
	if (rc != EXIT_DONE)
		return rc;
	if (!version)
		return ask(invocation, "GET", "/v1/downloads", NULL, show_downloads);
	if (!version_path(version, "/v1/downloads/", "", path))
		return EXIT_REFUSED;
	if (invocation_value(invocation, "watch"))
		return watch_download(&client, version, invocation->json);
	return ask(invocation, "GET", path, NULL, show_download);
}

static int run_show_available(const struct invocation *invocation)
{
	const char *path = invocation_value(invocation, "refresh") ? "/v1/versions?refresh=true"
								   : "/v1/versions";

	return ask(invocation, "GET", path, NULL, show_versions);
}

static int run_show_images(const struct invocation *invocation)
{
	return ask(invocation, "GET", "/v1/images", NULL, show_images);
}

static void say_state(const cJSON *download)
{
	(void)printf("%s is %s\n", member_text(download, "version"),
		     member_text(download, "state"));
}

static int run_download(const struct invocation *invocation)
{
	const char *version = invocation_value(invocation, "version");
	struct client client = client_of(invocation);
	char path[PATH_SIZE];
	cJSON *request;
	char *body;
	int rc;

	if (!version_path(version, "", "", path))
		return EXIT_REFUSED;
	rc = check_node(invocation);
	if (rc != EXIT_DONE)
		return rc;
	request = cJSON_CreateObject();
	cJSON_AddStringToObject(request, "version", version);
	cJSON_AddBoolToObject(request, "sequenced",
			      invocation_value(invocation, "sequenced") != NULL);
	cJSON_AddBoolToObject(request, "force", invocation_value(invocation, "force") != NULL);
	body = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	rc = ask(invocation, "POST", "/v1/downloads", body,
		 invocation_value(invocation, "watch") ? NULL : say_state);
	free(body);
	if (rc == EXIT_DONE && invocation_value(invocation, "watch"))
		rc = watch_download(&client, version, invocation->json);
	return rc;
}

static int change(const struct invocation *invocation, const char *what, const char *body)
{
	char path[PATH_SIZE];
	int rc = check_node(invocation);

	if (rc != EXIT_DONE)
		return rc;
	if (!version_path(invocation_value(invocation, "version"), "/v1/downloads/", what, path))
		return EXIT_REFUSED;
	return ask(invocation, "POST", path, body, say_state);
}

static int run_pause(const struct invocation *invocation)
{
	return change(invocation, "/pause", "");
}

static int run_resume(const struct invocation *invocation)
{
	return change(invocation, "/resume", "");
}

static int run_cancel(const struct invocation *invocation)
{
	return change(invocation, "/cancel",
		      invocation_value(invocation, "force") ? "{\"force\":true}" : "");
}

struct verification {
	bool json;
	int result;
};

static bool take_verification(void *owner, const char *event, const char *data)
{
	struct verification *v = owner;
	cJSON *json = cJSON_Parse(data);
	double total = member_number(json, "bytes-total");

	if (strcmp(event, "result") == 0) {
		bool good = strcmp(member_text(json, "result"), "ok") == 0;

		v->result = good ? EXIT_DONE : EXIT_REFUSED;
		if (v->json)
			(void)puts(data);
		else if (good)
			(void)printf("%s is as it was signed\n", member_text(json, "version"));
		if (!good)
			(void)fprintf(stderr, "stewardctl: %s is damaged: %s\n",
				      member_text(json, "version"), member_text(json, "error"));
	} else if (isatty(STDOUT_FILENO) && !v->json && total > 0) {
		(void)printf("\r%3.0f %%\r", member_number(json, "bytes-done") * 100 / total);
		(void)fflush(stdout);
	}
	cJSON_Delete(json);
	return true;
}

static bool feed(void *owner, const char *bytes, size_t n)
{
	return sse_feed(owner, bytes, n);
}

static int run_verify(const struct invocation *invocation)
{
	struct verification v = {.json = invocation->json, .result = EXIT_REFUSED};
	struct client client = client_of(invocation);
	struct sse sse;
	char path[PATH_SIZE];
	int rc;

	if (!version_path(invocation_value(invocation, "version"), "/v1/images/", "/verify", path))
		return EXIT_REFUSED;
	sse_init(&sse, take_verification, &v);
	rc = client_stream(&client, "POST", path, feed, &sse);
	sse_release(&sse);
	if (rc == EXIT_NO_DAEMON)
		return client_say_no_daemon(&client);
	return rc == EXIT_DONE ? v.result : rc;
}

static int run_delete(const struct invocation *invocation)
{
	char path[PATH_SIZE];

	if (!version_path(invocation_value(invocation, "version"), "/v1/images/", "", path))
		return EXIT_REFUSED;
	return ask(invocation, "DELETE", path, NULL, NULL);
}

static int run_create_manifest(const struct invocation *invocation)
{
	const char *size = invocation_value(invocation, "piece-size");
	const char *version = invocation_value(invocation, "version");
	const char *output = invocation_value(invocation, "output");
	char *end = NULL;
	unsigned long piece_size = size ? strtoul(size, &end, 10) : 0;
	struct err err;

	if (size && (*end || piece_size == 0 || piece_size > UINT32_MAX)) {
		(void)fprintf(stderr, "stewardctl: piece-size '%s': expected bytes\n", size);
		return EXIT_USAGE;
	}
	if (manifest_create(invocation_value(invocation, "image"), version,
			    invocation_value(invocation, "key"), (uint32_t)piece_size, output,
			    &err) < 0) {
		(void)fprintf(stderr, "stewardctl: %s\n", err.text);
		return EXIT_REFUSED;
	}
	(void)printf("%s/%s is made and signed\n", output, version);
	return EXIT_DONE;
}

static void show_upload(size_t done, size_t size)
{
	if (isatty(STDOUT_FILENO) && size > 0) {
		(void)printf("\r%3zu %%\r", done * 100 / size);
		(void)fflush(stdout);
	}
}

static int put_both(const struct client *client, const char *version, const char *manifest,
		    const char *image, bool json)
{
	struct client_reply reply;
	char path[PATH_SIZE];
	int rc;

	(void)snprintf(path, sizeof(path), "/v1/images/%s/manifest", version);
	rc = client_upload(client, path, manifest, NULL, &reply);
	client_reply_release(&reply);
	if (rc != EXIT_DONE)
		return rc;
	(void)snprintf(path, sizeof(path), "/v1/images/%s/file", version);
	rc = client_upload(client, path, image, json ? NULL : show_upload, &reply);
	if (rc == EXIT_DONE && json)
		(void)puts(reply.body ? reply.body : "{}");
	else if (rc == EXIT_DONE)
		(void)printf("%s is imported\n", version);
	client_reply_release(&reply);
	return rc;
}

static int run_import(const struct invocation *invocation)
{
	const char *file = invocation_value(invocation, "manifest");
	struct client client = client_of(invocation);
	struct manifest manifest = {0};
	char *jws = NULL;
	size_t size;
	struct err err;
	int rc = file_read(file, MANIFEST_SIZE_MAX, &jws, &size, &err);

	/* The daemon asks who signed it; here only which version it is of. */
	if (rc == 0)
		rc = manifest_read_unverified(&manifest, span_of(jws, size), NULL, &err);
	free(jws);
	if (rc < 0) {
		(void)fprintf(stderr, "stewardctl: %s: %s\n", file, err.text);
		return EXIT_REFUSED;
	}
	rc = put_both(&client, manifest.version, file, invocation_value(invocation, "image"),
		      invocation->json);
	manifest_release(&manifest);
	return rc;
}

static void say_reloaded(const cJSON *answer)
{
	(void)answer;
	(void)puts("the configuration is loaded");
}

static int run_reload(const struct invocation *invocation)
{
	return ask(invocation, "POST", "/v1/reload", "", say_reloaded);
}

#define VERSION                                                                                    \
	{                                                                                          \
		"version", PAIR_VALUE, "V"                                                         \
	}
#define NODE                                                                                       \
	{                                                                                          \
		"node", PAIR_OPTIONAL, "N"                                                         \
	}
#define ROUTER                                                                                     \
	{                                                                                          \
		"router", PAIR_OPTIONAL, "R"                                                       \
	}
#define FLAG(name)                                                                                 \
	{                                                                                          \
		name, PAIR_FLAG, NULL                                                              \
	}

const struct command commands[] = {
	{{"show", "system"}, {{0}}, run_show_system, "How the daemon stands."},
	{{"show", "system", "software", "download"},
	 {{"version", PAIR_OPTIONAL, "V"}, NODE, FLAG("watch")},
	 run_show_download,
	 "All downloads, or one with its sources; watch follows it."},
	{{"show", "system", "software", "available"},
	 {FLAG("refresh")},
	 run_show_available,
	 "Which versions the sources have; refresh asks them now."},
	{{"show", "system", "software", "images"},
	 {{0}},
	 run_show_images,
	 "The images on this node."},
	{{"request", "system", "software", "download"},
	 {ROUTER, NODE, VERSION, FLAG("sequenced"), FLAG("force"), FLAG("watch")},
	 run_download,
	 "Download a version; force discards what is there of it."},
	{{"request", "system", "software", "download", "pause"},
	 {ROUTER, NODE, VERSION},
	 run_pause,
	 "Stop fetching for now."},
	{{"request", "system", "software", "download", "resume"},
	 {ROUTER, NODE, VERSION},
	 run_resume,
	 "Go on where it stopped."},
	{{"request", "system", "software", "download", "cancel"},
	 {ROUTER, NODE, VERSION, FLAG("force")},
	 run_cancel,
	 "Give it up; force discards its data too."},
	{{"request", "system", "reload"}, {{0}}, run_reload, "Load the configuration."},
	{{"request", "system", "software", "verify"},
	 {VERSION},
	 run_verify,
	 "Hash an image again."},
	{{"request", "system", "software", "delete"}, {VERSION}, run_delete, "Delete an image."},
	{{"create", "software", "manifest"},
	 {{"image", PAIR_VALUE, "FILE"},
	  VERSION,
	  {"key", PAIR_VALUE, "KEY.pem"},
	  {"piece-size", PAIR_OPTIONAL, "BYTES"},
	  {"output", PAIR_VALUE, "DIR"}},
	 run_create_manifest,
	 "Make a repository entry out of an image and a key; no daemon is needed."},
	{{"import", "system", "software"},
	 {{"image", PAIR_VALUE, "FILE"}, {"manifest", PAIR_VALUE, "FILE"}},
	 run_import,
	 "Import an image with its manifest."},
};
const size_t n_commands = N_ELEMENTS(commands);
