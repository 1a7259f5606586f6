/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands for images: show, verify, delete, import, and make a repository entry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/span.h"
#include "download/image/manifest.h"
#include "download/image/manifest_create.h"
#include "stewardctl/command_ask.h"
#include "stewardctl/commands.h"
#include "stewardctl/harmless.h"
#include "stewardctl/member.h"
#include "stewardctl/show.h"
#include "stewardctl/sse.h"

int command_show_images(const struct invocation *invocation)
{
	return command_ask(invocation, "GET", "/v1/images", NULL, show_images);
}

struct verification {
	bool json;
	int result;
};

static bool take_verification(void *owner, const char *event, const char *data)
{
	struct verification *v = owner;
	cJSON *json = harmless_parse(data);
	double total = member_number(json, "bytes-total");

	if (strcmp(event, "result") == 0) {
		bool good = strcmp(member_text(json, "result"), "ok") == 0;

		v->result = good ? EXIT_DONE : EXIT_REFUSED;
		if (v->json)
			harmless_say_json(data);
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

int command_verify(const struct invocation *invocation)
{
	struct verification v = {.json = invocation->json, .result = EXIT_REFUSED};
	struct client client = command_client(invocation);
	struct sse sse;
	char path[COMMAND_PATH_SIZE];
	int rc;

	if (!command_version_path(invocation_value(invocation, "version"), "/v1/images/", "/verify",
				  path))
		return EXIT_REFUSED;
	sse_init(&sse, take_verification, &v);
	rc = client_stream(&client, "POST", path, feed, &sse);
	sse_release(&sse);
	if (rc == EXIT_NO_DAEMON)
		return client_say_no_daemon(&client);
	return rc == EXIT_DONE ? v.result : rc;
}

int command_delete(const struct invocation *invocation)
{
	char path[COMMAND_PATH_SIZE];

	if (!command_version_path(invocation_value(invocation, "version"), "/v1/images/", "", path))
		return EXIT_REFUSED;
	return command_ask(invocation, "DELETE", path, NULL, NULL);
}

int command_create_manifest(const struct invocation *invocation)
{
	const char *size = invocation_value(invocation, "piece-size");
	const char *version = invocation_value(invocation, "version");
	const char *output = invocation_value(invocation, "output");
	char *end = NULL;
	unsigned long piece_size = size ? strtoul(size, &end, 10) : 0;
	struct err without;
	struct err err;

	if (size && (*end || piece_size == 0 || piece_size > UINT32_MAX)) {
		(void)fprintf(stderr, "stewardctl: piece-size '%s': expected bytes\n", size);
		return EXIT_USAGE;
	}
	if (manifest_create(invocation_value(invocation, "image"), version,
			    invocation_value(invocation, "key"), (uint32_t)piece_size, output,
			    &without, &err) < 0) {
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	(void)printf("%s/%s is made and signed\n", output, version);
	if (without.code < 0)
		(void)printf("It has no chunk index: %s\n", without.text);
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
	char path[COMMAND_PATH_SIZE];
	int rc;

	(void)snprintf(path, sizeof(path), "/v1/images/%s/manifest", version);
	rc = client_upload(client, path, manifest, NULL, &reply);
	client_reply_release(&reply);
	if (rc != EXIT_DONE)
		return rc;
	(void)snprintf(path, sizeof(path), "/v1/images/%s/file", version);
	rc = client_upload(client, path, image, json ? NULL : show_upload, &reply);
	if (rc == EXIT_DONE && json)
		harmless_say_json(reply.body ? reply.body : "{}");
	else if (rc == EXIT_DONE)
		(void)printf("%s is imported\n", version);
	client_reply_release(&reply);
	return rc;
}

int command_import(const struct invocation *invocation)
{
	const char *file = invocation_value(invocation, "manifest");
	struct client client = command_client(invocation);
	struct manifest manifest = {0};
	char *jws = NULL;
	size_t size;
	struct err err;
	int rc = file_read(file, MANIFEST_SIZE_MAX, &jws, &size, &err);

	/* Reads only which version the manifest is of. The daemon checks the signature. */
	if (rc == 0)
		rc = manifest_read_unverified(&manifest, span_of(jws, size), NULL, &err);
	free(jws);
	if (rc < 0) {
		(void)err_wrap(&err, "%s", file);
		harmless_complain(&err);
		return EXIT_REFUSED;
	}
	rc = put_both(&client, manifest.version, file, invocation_value(invocation, "image"),
		      invocation->json);
	manifest_release(&manifest);
	return rc;
}
