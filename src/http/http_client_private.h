/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_client_private.h - one request as libcurl sees it: its options, its head, its end.
 *
 * Shared by http_client.c, which runs them on the loop, http_request.c and http_outcome.c; nobody
 * else.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "http/http_client.h"
#include "http/http_connect.h"
#include "http/http_reach.h"

struct http_request {
	struct http_client *client;
	struct http_request *next;
	CURL *easy;
	struct http_request_callbacks callbacks;
	void *owner;
	struct http_head head;
	struct curl_slist *lines; /* of its head, beside libcurl's own */
	bool decode;
	bool went_anew; /* on another connection, once */
	bool headed;    /* the final reply's head has been told */
	bool aborted;
	int abort_code;
	struct err local_error; /* found before anything was sent */
	char curl_error[CURL_ERROR_SIZE];
	char host[128];               /* for messages */
	int socket;                   /* handed over by the owner, and not used yet; 0 = none */
	struct http_reach reach;      /* unless it was */
	struct http_connect *connect; /* libcurl waits for it; NULL = it does not */
	struct err unreached;         /* what became of it */
	uint64_t connect_timeout_ms;

	bool added;
	bool start_wanted;
	bool connect_wanted;
	bool resume_wanted;
	bool paused; /* by its owner, since it was resumed last */
	bool cancel_wanted;
};

/* NULL = out of memory. What is wrong with the files of its access is in local_error. */
struct http_request *http_request_new(struct http_client *client, const struct http_get *get);

/* libcurl needs a connection; comes from inside of it. */
void http_client_connect_wanted(void *request);

/* The address that answered is out of order (http_client.c, which remembers it). */
void http_client_blame_address(struct http_request *request);

/* The connection that it was given for a second time brought what belongs to nobody: the server
 * had sent more than it said. If so, it is made ready for another connection. */
bool http_request_goes_anew(struct http_request *request, CURLcode code);

/* Tell its owner, and free it. */
void http_request_end(struct http_request *request, CURLcode code);
