/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_client.h - HTTP(S) requests on the loop. The only file that knows libcurl.
 *
 * Calling sequence: http_client_init -> http_client_get ... -> http_client_close.
 *
 * A request belongs to the client from http_client_get() until its done callback, which comes
 * exactly once, also after http_request_cancel(), and never inside a call made by its owner.
 * headers() comes once for the final reply, after redirects (at most 5, never from https to
 * http), before any byte of body. body() may answer HTTP_PAUSE: the same bytes are offered
 * again after http_request_resume(). Any other negative value from either ends the request
 * with HTTP_ABORTED and that code. Inside a callback all functions here may be called: what
 * libcurl cannot do there is done right after.
 *
 * HTTP/1.1 only, http and https only, proxies only as configured, nothing from the
 * environment; credentials go to the configured host alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/span.h"
#include "http/http_head.h"

struct http_client;
struct http_request;

enum { HTTP_PAUSE = 1 };

/* How to reach a server. Strings are borrowed and live until the request's done. NULL = none. */
struct http_access {
	const char *ca_certificate; /* PEM file; NULL = the system's */
	const char *client_certificate;
	const char *client_key;
	const char *username;
	/* Of each secret the file, of which the first line is read at each request; or itself. */
	const char *password_file;
	const char *password;
	const char *bearer_token_file;
	const char *bearer_token;
	const char *s3_region; /* requests are signed for it */
	const char *s3_access_key_file;
	const char *s3_access_key;
	const char *s3_secret_key_file;
	const char *s3_secret_key;
	const char *proxy;
	const char *proxy_username; /* told to the proxy alone */
	const char *proxy_password_file;
	const char *proxy_password;
	uint32_t connect_timeout_s;
};

enum http_outcome {
	HTTP_DONE,            /* reply complete, whatever its status */
	HTTP_RESOLVE_FAILED,  /* the name could not be resolved */
	HTTP_CONNECT_FAILED,  /* refused, unreachable, or no connection within connect_timeout_s */
	HTTP_TLS_FAILED,      /* handshake or certificate */
	HTTP_PROXY_REFUSED,   /* the configured proxy said 407, or 403 to a tunnel */
	HTTP_REDIRECT_FAILED, /* too many, or to a forbidden scheme */
	HTTP_CUT,             /* the reply ended before its length */
	HTTP_PROTOCOL_ERROR,  /* not HTTP, or something else libcurl will not take */
	HTTP_LOCAL_ERROR,     /* a certificate, key or password file of ours, or memory */
	HTTP_ABORTED,         /* a callback ended it; code is what it returned */
	HTTP_CANCELLED,       /* http_request_cancel() */
};

struct http_result {
	enum http_outcome outcome;
	int code;       /* HTTP_ABORTED: the callback's */
	int status;     /* 0 if no final reply came */
	struct err err; /* unset for HTTP_DONE and HTTP_CANCELLED */
};

struct http_request_callbacks {
	int (*headers)(struct http_request *request, const struct http_head *head, void *owner);
	int (*body)(struct http_request *request, struct span bytes, void *owner);
	void (*done)(struct http_request *request, const struct http_result *result, void *owner);
};

/* What caches on the way may answer with. */
enum http_caching {
	HTTP_ANY_AGE,
	HTTP_YOUNG,       /* at most a minute old */
	HTTP_PAST_CACHES, /* what the server itself has now */
};

struct http_get {
	const char *url;                  /* copied */
	const struct http_access *access; /* borrowed until done */
	bool has_range;
	uint64_t first; /* of the range; both included */
	uint64_t last;
	struct http_request_callbacks callbacks; /* headers may be NULL */
	void *owner;
	const char *method; /* NULL = GET */
	enum http_caching caching;
	bool decode;      /* a Content-Encoding that libcurl knows: its body comes decoded */
	struct span body; /* sent with another method; borrowed until done */
	int socket;       /* connected already, and taken; 0 = connect to the URL's host */
	bool closes;      /* its connection serves no other request after it */
};

/* At most one connection a request; idle ones are kept for the next. */
int http_client_init(struct http_client **ret, uv_loop_t *loop, struct err *err);

/* Start a GET. Errors found at once (memory, unreadable password file) are also reported by
 * done() with HTTP_LOCAL_ERROR, later: the only failure here is -ENOMEM with *ret untouched. */
int http_client_get(struct http_client *client, const struct http_get *get,
		    struct http_request **ret);

void http_request_cancel(struct http_request *request);
void http_request_resume(struct http_request *request);

/* Cancels what is running (their done callbacks come first), then calls closed. */
void http_client_close(struct http_client *client, void (*closed)(void *owner), void *owner);

/* Is the server reached, TLS included, so that it is its turn to speak? */
bool http_request_is_connected(const struct http_request *request);
