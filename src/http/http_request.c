/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_client_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "http/http_credentials.h"
#include "http/http_outcome.h"

#define RECEIVE_BUFFER (64l << 10) /* bytes; 32 requests may be in flight */
#define REDIRECTS_MAX  5l          /* docs/download.md, "Fetch" */
#define EMPTY_SHA256   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define USER_AGENT     "steward"

/* Is this the head of the real reply? Redirects that libcurl follows, and 1xx replies, are not
 * told to the owner. */
static bool is_final(const struct http_head *head)
{
	bool redirect = head->status >= 301 && head->status <= 308 && head->status != 304 &&
			head->has_location;

	return head->status >= 200 && !redirect;
}

static int tell_headers(struct http_request *request)
{
	long status = 0;
	int rc;

	(void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	request->head.status = (int)status;
	if (!is_final(&request->head))
		return 0;
	if (status == 407 && request->reach.proxy)
		return -EACCES; /* the proxy sent it, not the server: see http_outcome.c */
	request->headed = true;
	if (!request->callbacks.headers)
		return 0;
	if (status >= 500 && !request->reach.proxy)
		http_client_blame_address(request);
	rc = request->callbacks.headers(request, &request->head, request->owner);
	if (rc < 0) {
		request->aborted = true;
		request->abort_code = rc;
	}
	return rc;
}

static size_t on_header(char *line, size_t size, size_t n, void *user)
{
	struct http_request *request = user;

	(void)size;
	if (request->headed)
		return n; /* a trailer */
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
		http_head_reset(&request->head);
	else if (line[0] == '\n' || (n == 2 && memcmp(line, "\r\n", 2) == 0))
		return tell_headers(request) < 0 ? 0 : n;
	else
		http_head_add_line(&request->head, span_of(line, n), time(NULL));
	return n;
}

static size_t on_write(char *bytes, size_t size, size_t n, void *user)
{
	struct http_request *request = user;
	int rc;

	(void)size;
	if (request->cancel_wanted)
		return 0;
	rc = request->callbacks.body(request, span_of(bytes, n), request->owner);
	if (rc == HTTP_PAUSE) {
		request->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (rc == 0)
		return n;
	request->aborted = true;
	request->abort_code = rc;
	return 0;
}

/* libcurl would report a file that is not there as a TLS error. */
static int check_file(const char *path, const char *what, struct err *err)
{
	if (path && access(path, R_OK) < 0)
		return err_set_errno(err, -errno, "%s %s", what, path);
	return 0;
}

static int set_tls(struct http_request *request, const struct http_access *access)
{
	CURL *easy = request->easy;
	struct err *err = &request->local_error;
	int rc = check_file(access->ca_certificate, "ca-certificate", err);

	if (rc == 0)
		rc = check_file(access->client_certificate, "client-certificate", err);
	if (rc == 0)
		rc = check_file(access->client_key, "client-key", err);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (access->ca_certificate) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, access->ca_certificate);
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (access->client_certificate)
		(void)curl_easy_setopt(easy, CURLOPT_SSLCERT, access->client_certificate);
	if (access->client_key)
		(void)curl_easy_setopt(easy, CURLOPT_SSLKEY, access->client_key);
	return rc;
}

static void set_transport(CURL *easy, const struct http_get *get)
{
	bool https = strncasecmp(get->url, "https:", 6) == 0;
	const char *proxy = get->access->proxy;

	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, https ? "https" : "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0l);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, proxy ? proxy : "");
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)get->access->connect_timeout_s);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1l);
}

static void set_callbacks(struct http_request *request)
{
	CURL *easy = request->easy;

	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->curl_error);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
}

static curl_socket_t hand_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_request *request = user;
	int fd = request->socket;

	(void)purpose;
	(void)address;
	request->socket = 0;
	return fd > 0 ? fd : CURL_SOCKET_BAD;
}

static int is_connected_already(void *user, curl_socket_t fd, curlsocktype purpose)
{
	(void)user;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* The socket may lead elsewhere than the URL says (into a tunnel), so no other request may use
 * this connection. */
static void set_socket(struct http_request *request, int fd)
{
	CURL *easy = request->easy;

	request->socket = fd;
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, hand_socket);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, is_connected_already);
	(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1l);
	(void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1l);
}

static void set_method(CURL *easy, const struct http_get *get)
{
	if (!get->method || strcmp(get->method, "GET") == 0)
		return;
	(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, get->method);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)get->body.size);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
			       get->body.bytes ? get->body.bytes : (const void *)"");
}

static void set_lines(struct http_request *request, const struct http_access *access,
		      enum http_caching caching)
{
	static const char *const lines[] = {
		[HTTP_YOUNG] = "Cache-Control: max-age=60",
		[HTTP_PAST_CACHES] = "Cache-Control: no-cache",
	};

	/* S3 wants the digest of the (empty) body, which libcurl 7.88 does not send; if it is here,
	 * it is what libcurl signs. */
	if (access->s3_region)
		request->lines = curl_slist_append(NULL, "x-amz-content-sha256: " EMPTY_SHA256);
	if (caching != HTTP_ANY_AGE)
		request->lines = curl_slist_append(request->lines, lines[caching]);
	(void)curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->lines);
}

/* We ask for no encoding. But a cache may answer with the encoded body that another client asked
 * for. */
static void set_decoding(struct http_request *request, bool decode)
{
	request->decode = decode;
	if (!decode)
		return;
	(void)curl_easy_setopt(request->easy, CURLOPT_ACCEPT_ENCODING, "identity");
	(void)curl_easy_setopt(request->easy, CURLOPT_HTTP_CONTENT_DECODING, 1l);
}

static void note_host(struct http_request *request, const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL;

	if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK)
		(void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
	(void)snprintf(request->host, sizeof(request->host), "%s", host ? host : "?");
	curl_free(host);
	curl_url_cleanup(parts);
}

struct http_request *http_request_new(struct http_client *client, const struct http_get *get)
{
	struct http_request *request = calloc(1, sizeof(*request));
	char range[48];

	if (!request)
		return NULL;
	request->easy = curl_easy_init();
	if (!request->easy || curl_easy_setopt(request->easy, CURLOPT_URL, get->url) != CURLE_OK) {
		curl_easy_cleanup(request->easy);
		free(request);
		return NULL;
	}
	request->client = client;
	request->callbacks = get->callbacks;
	request->owner = get->owner;
	http_head_reset(&request->head);
	note_host(request, get->url);
	(void)curl_easy_setopt(request->easy, CURLOPT_USERAGENT, USER_AGENT);
	set_transport(request->easy, get);
	set_method(request->easy, get);
	set_lines(request, get->access, get->caching);
	set_decoding(request, get->decode);
	request->connect_timeout_ms = UINT64_C(1000) * get->access->connect_timeout_s;
	if (get->socket > 0)
		set_socket(request, get->socket);
	else
		http_reach_set_up(&request->reach, request->easy, get->access->proxy,
				  http_client_connect_wanted, request);
	if (get->closes)
		(void)curl_easy_setopt(request->easy, CURLOPT_FORBID_REUSE, 1l);
	set_callbacks(request);
	if (set_tls(request, get->access) == 0)
		(void)http_credentials_set(request->easy, get->access, &request->local_error);
	if (get->has_range) {
		(void)snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, get->first, get->last);
		(void)curl_easy_setopt(request->easy, CURLOPT_RANGE, range);
	}
	return request;
}

bool http_request_is_connected(const struct http_request *request)
{
	curl_off_t at = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_PRETRANSFER_TIME_T, &at);
	return at > 0;
}

bool http_request_goes_anew(struct http_request *request, CURLcode code)
{
	long connects = 0;
	bool garbage = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY;

	if (!garbage || request->headed || request->went_anew || request->cancel_wanted ||
	    http_outcome_is_of_redirect(request) || request->socket > 0)
		return false;
	(void)curl_easy_getinfo(request->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0)
		return false;
	request->went_anew = true;
	(void)curl_easy_setopt(request->easy, CURLOPT_FRESH_CONNECT, 1l);
	return true;
}

void http_request_end(struct http_request *request, CURLcode code)
{
	struct http_result result = {.status = request->headed ? request->head.status : 0};

	if (request->cancel_wanted) {
		result.outcome = HTTP_CANCELLED;
	} else if (request->aborted) {
		result.outcome = HTTP_ABORTED;
		result.code = request->abort_code;
	} else {
		http_outcome_of(request, code, &result);
	}
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->lines);
	request->easy = NULL;
	http_reach_release(&request->reach);
	if (request->socket > 0)
		(void)close(request->socket);
	request->callbacks.done(request, &result, request->owner);
	free(request);
}
