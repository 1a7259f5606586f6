/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/config.h"
#include "stewardctl/harmless.h"

#define ROUTER_SOCKET    "/run/steward/control.sock"
#define CONDUCTOR_SOCKET "/run/steward/conductor.sock"
#define REPLY_MAX        (64u << 20)

/* The router's, unless there is none. Where neither daemon runs, the configuration says which one
 * this machine should have. */
static const char *default_socket(void)
{
	if (access(ROUTER_SOCKET, F_OK) == 0)
		return ROUTER_SOCKET;
	if (access(CONDUCTOR_SOCKET, F_OK) == 0)
		return CONDUCTOR_SOCKET;
	if (access(CONFIG_ROUTER_PATH, F_OK) < 0 && access(CONFIG_CONDUCTOR_PATH, F_OK) == 0)
		return CONDUCTOR_SOCKET;
	return ROUTER_SOCKET;
}

void client_init(struct client *client, const char *path)
{
	client->socket = path ? path : default_socket();
}

static size_t collect(char *bytes, size_t size, size_t n, void *user)
{
	struct client_reply *reply = user;
	char *larger;

	(void)size;
	if (reply->size + n > REPLY_MAX)
		return 0;
	larger = realloc(reply->body, reply->size + n + 1);
	if (!larger)
		return 0;
	memcpy(larger + reply->size, bytes, n);
	reply->body = larger;
	reply->size += n;
	reply->body[reply->size] = '\0';
	return n;
}

/* The target of a Link field (RFC 8288) that has nothing but one link, to the next page, as our
 * conductor writes it. Whatever else stands there is no next page. */
static void read_link(const char *value, char ret[CLIENT_NEXT_SIZE])
{
	const char *end = strchr(value, '>');

	if (value[0] != '<' || value[1] != '/' || !end || !strstr(end, "rel=\"next\"") ||
	    (size_t)(end - value) > CLIENT_NEXT_SIZE)
		return;
	(void)snprintf(ret, CLIENT_NEXT_SIZE, "%.*s", (int)(end - value - 1), value + 1);
}

static size_t read_field(char *bytes, size_t size, size_t n, void *user)
{
	static const char name[] = "link: ";
	struct client_reply *reply = user;
	char line[2 * CLIENT_NEXT_SIZE];

	(void)size;
	if (n < sizeof(line) && n > sizeof(name)) {
		memcpy(line, bytes, n);
		line[n] = '\0';
		if (strncasecmp(line, name, sizeof(name) - 1) == 0)
			read_link(line + sizeof(name) - 1, reply->next);
	}
	return n;
}

static CURL *prepare_request(const struct client *client, const char *method, const char *path)
{
	CURL *easy = curl_easy_init();
	char url[1024];

	if (!easy)
		return NULL;
	(void)snprintf(url, sizeof(url), "http://localhost%s", path);
	(void)curl_easy_setopt(easy, CURLOPT_URL, url);
	(void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	(void)curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1l);
	return easy;
}

/* A socket of another name may be of either. */
static const char *unit_of(const char *path)
{
	if (strcmp(path, CONDUCTOR_SOCKET) == 0)
		return "conductord";
	if (strcmp(path, ROUTER_SOCKET) == 0)
		return "stewardd";
	return "stewardd conductord";
}

/* libcurl's message would name localhost and port 80 instead of the socket. So we try to connect
 * ourselves, and report that error. */
int client_say_no_daemon(const struct client *client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *reason = "it went away meanwhile";

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", client->socket);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		reason = strerror(errno);
	(void)fprintf(stderr,
		      "stewardctl: no daemon answers on %s: %s\n"
		      "Is it running? systemctl status %s\n",
		      client->socket, reason, unit_of(client->socket));
	if (fd >= 0)
		(void)close(fd);
	return EXIT_NO_DAEMON;
}

/* Prints several faults of a configuration, each on its own line. */
static void print_faults(const char *detail)
{
	const char *next;

	while ((next = strstr(detail, "; /steward:"))) {
		(void)fprintf(stderr, "%.*s\n  ", (int)(next - detail), detail);
		detail = next + strlen("; ");
	}
	(void)fprintf(stderr, "%s\n", detail);
}

static int explain(const struct client_reply *reply)
{
	cJSON *problem = harmless_parse(reply->body);
	const char *detail = cJSON_GetStringValue(cJSON_GetObjectItem(problem, "detail"));

	(void)fprintf(stderr, "stewardctl: ");
	print_faults(detail ? detail : "refused");
	cJSON_Delete(problem);
	return EXIT_REFUSED;
}

static int perform(const struct client *client, CURL *easy, struct client_reply *ret)
{
	CURLcode code;

	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, ret);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, read_field);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, ret);
	code = curl_easy_perform(easy);
	(void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &ret->status);
	curl_easy_cleanup(easy);
	/* A refusal may come before the upload is complete, and end it: then it is the answer. */
	if (code != CURLE_OK && ret->status < 300)
		return client_say_no_daemon(client);
	return ret->status < 300 ? EXIT_DONE : explain(ret);
}

int client_call(const struct client *client, const char *method, const char *path, const char *body,
		struct client_reply *ret)
{
	CURL *easy = prepare_request(client, method, path);

	memset(ret, 0, sizeof(*ret));
	if (!easy)
		return client_say_no_daemon(client);
	if (body)
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	return perform(client, easy, ret);
}

void client_reply_release(struct client_reply *reply)
{
	free(reply->body);
	memset(reply, 0, sizeof(*reply));
}

struct upload {
	FILE *file;
	size_t done;
	size_t size;
	void (*progress)(size_t done, size_t size);
};

static size_t read_upload(char *buffer, size_t size, size_t n, void *user)
{
	struct upload *upload = user;
	size_t got = fread(buffer, 1, size * n, upload->file);

	upload->done += got;
	if (upload->progress)
		upload->progress(upload->done, upload->size);
	return ferror(upload->file) ? CURL_READFUNC_ABORT : got;
}

int client_upload(const struct client *client, const char *path, const char *file,
		  void (*progress)(size_t done, size_t size), struct client_reply *ret)
{
	CURL *easy = prepare_request(client, "PUT", path);
	struct upload upload = {.file = fopen(file, "re"), .progress = progress};
	struct stat st;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (!upload.file || fstat(fileno(upload.file), &st) < 0) {
		perror(file);
		if (upload.file)
			(void)fclose(upload.file);
		curl_easy_cleanup(easy);
		return EXIT_REFUSED;
	}
	if (!easy) {
		(void)fclose(upload.file);
		return client_say_no_daemon(client);
	}
	upload.size = (size_t)st.st_size;
	(void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_upload);
	(void)curl_easy_setopt(easy, CURLOPT_READDATA, &upload);
	(void)curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)st.st_size);
	rc = perform(client, easy, ret);
	(void)fclose(upload.file);
	return rc;
}

struct stream {
	CURL *easy;
	bool (*take)(void *owner, const char *bytes, size_t n);
	void *owner;
	struct client_reply refusal;
};

static size_t pass_on(char *bytes, size_t size, size_t n, void *user)
{
	struct stream *stream = user;
	long status = 0;

	(void)size;
	(void)curl_easy_getinfo(stream->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 300)
		return collect(bytes, size, n, &stream->refusal);
	return stream->take(stream->owner, bytes, n) ? n : 0;
}

int client_stream(const struct client *client, const char *method, const char *path,
		  bool (*take)(void *owner, const char *bytes, size_t n), void *owner)
{
	struct stream stream = {.take = take, .owner = owner};
	int rc = EXIT_DONE;

	stream.easy = prepare_request(client, method, path);
	if (!stream.easy)
		return EXIT_NO_DAEMON;
	(void)curl_easy_setopt(stream.easy, CURLOPT_WRITEFUNCTION, pass_on);
	(void)curl_easy_setopt(stream.easy, CURLOPT_WRITEDATA, &stream);
	(void)curl_easy_perform(stream.easy);
	(void)curl_easy_getinfo(stream.easy, CURLINFO_RESPONSE_CODE, &stream.refusal.status);
	if (stream.refusal.status == 0)
		rc = EXIT_NO_DAEMON;
	else if (stream.refusal.status >= 300)
		rc = explain(&stream.refusal);
	client_reply_release(&stream.refusal);
	curl_easy_cleanup(stream.easy);
	return rc;
}
