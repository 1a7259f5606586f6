/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "http/http_client_private.h"

#define CONNECTIONS_KEPT 64

struct http_client {
	uv_loop_t *loop;
	CURLM *multi;
	uv_timer_t timer;
	uv_idle_t deferred; /* what libcurl does not allow inside its callbacks */
	struct http_request *first;
	struct http_failures failures; /* addresses that are not to be tried first */
	unsigned handles;              /* not closed yet: sockets, timer, deferred */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

/* A socket of libcurl's that is polled. */
struct polled_socket {
	uv_poll_t poll;
	struct http_client *client;
	curl_socket_t fd;
	int events; /* that are waited for, as libuv names them */
};

static void free_if_closed(struct http_client *client)
{
	void (*closed)(void *owner) = client->closed;
	void *owner = client->owner;

	if (--client->handles > 0)
		return;
	free(client);
	closed(owner);
}

static void on_socket_closed(uv_handle_t *handle)
{
	struct polled_socket *s = container_of(handle, struct polled_socket, poll);
	struct http_client *client = s->client;

	free(s);
	free_if_closed(client);
}

static void defer(struct http_client *client);

static void on_connect_closed(void *owner)
{
	free_if_closed(owner);
}

static bool connect_to(struct http_request *request, const struct http_reach_need *need);

static void on_connect_done(struct http_connect *connect, const struct http_connect_result *result,
			    void *owner)
{
	struct http_request *request = owner;
	struct http_reach_need need;

	(void)connect;
	request->connect = NULL;
	request->unreached = result->err;
	if (result->fd >= 0)
		http_reach_take(&request->reach, result->fd, &result->address, result->list,
				result->took_ms);
	if (result->fd >= 0 && http_reach_lacks(&request->reach, &need) &&
	    connect_to(request, &need))
		return;
	request->start_wanted = true;
	defer(request->client);
}

static bool connect_to(struct http_request *request, const struct http_reach_need *need)
{
	struct http_client *client = request->client;
	const struct http_connect_callbacks callbacks = {
		.done = on_connect_done,
		.closed = on_connect_closed,
		.owner = request,
		.closed_owner = client,
	};

	if (http_connect_start(&request->connect, client->loop, &need->list, need->host,
			       &client->failures, request->connect_timeout_ms, &callbacks) < 0)
		return false;
	client->handles++;
	return true;
}

void http_client_connect_wanted(void *owner)
{
	struct http_request *request = owner;

	request->connect_wanted = true;
	defer(request->client);
}

void http_client_blame_address(struct http_request *request)
{
	if (request->reach.current.size > 0)
		http_failures_add(&request->client->failures, &request->reach.current,
				  uv_now(request->client->loop));
}

/* Starts a connection of our own if libcurl lacks one. Returns whether libcurl is to run the
 * request again once an address has answered. */
static bool connect_first(struct http_request *request, CURLcode code)
{
	struct http_client *client = request->client;
	struct http_reach_need need;

	request->connect_wanted = false;
	if (request->cancel_wanted || request->unreached.code < 0 ||
	    !http_reach_wants_more(&request->reach, code, request->headed, &client->failures,
				   uv_now(client->loop), &need))
		return false;
	if (!connect_to(request, &need))
		return false;
	(void)curl_multi_remove_handle(client->multi, request->easy);
	request->added = false;
	return true;
}

static void finish_request(struct http_request *request, CURLcode code)
{
	struct http_client *client = request->client;
	struct http_request **at = &client->first;

	if (request->added && connect_first(request, code))
		return;
	if (request->added && http_request_goes_anew(request, code)) {
		(void)curl_multi_remove_handle(client->multi, request->easy);
		if (curl_multi_add_handle(client->multi, request->easy) == CURLM_OK)
			return;
		request->added = false;
	}
	if (request->connect)
		http_connect_cancel(request->connect);
	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (request->added)
		(void)curl_multi_remove_handle(client->multi, request->easy);
	http_request_end(request, code);
}

static void drain(struct http_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left))) {
		struct http_request *request;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
		finish_request(request, message->data.result);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct polled_socket *s = container_of(poll, struct polled_socket, poll);
	struct http_client *client = s->client;
	int running;
	int flags = 0;

	/* libuv has stopped polling by now (UV_EBADF). libcurl is to read or write, and so to find
	 * out what is wrong: told of an error, it would end the request, and not ask again where
	 * only a connection kept from before was reset. */
	if (status < 0)
		events = s->events;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	(void)curl_multi_socket_action(client->multi, s->fd, flags, &running);
	if (status < 0 && !uv_is_closing((uv_handle_t *)poll))
		(void)uv_poll_start(poll, s->events, on_poll);
	drain(client);
}

static struct polled_socket *poll_socket(struct http_client *client, curl_socket_t fd)
{
	struct polled_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (uv_poll_init_socket(client->loop, &s->poll, fd) < 0) {
		free(s);
		return NULL;
	}
	s->client = client;
	s->fd = fd;
	client->handles++;
	(void)curl_multi_assign(client->multi, fd, s);
	return s;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct http_client *client = user;
	struct polled_socket *s = socket_user;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (s) {
			(void)curl_multi_assign(client->multi, fd, NULL);
			uv_close((uv_handle_t *)&s->poll, on_socket_closed);
		}
		return 0;
	}
	if (!s)
		s = poll_socket(client, fd);
	if (!s)
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	s->events = events;
	return uv_poll_start(&s->poll, events, on_poll) < 0 ? -1 : 0;
}

static void on_timeout(uv_timer_t *timer)
{
	struct http_client *client = container_of(timer, struct http_client, timer);
	int running;

	(void)curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	drain(client);
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
	struct http_client *client = user;

	(void)multi;
	if (timeout_ms < 0)
		(void)uv_timer_stop(&client->timer);
	else
		(void)uv_timer_start(&client->timer, on_timeout, (uint64_t)timeout_ms, 0);
	return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
	free_if_closed(handle->data);
}

static void close_handles(struct http_client *client)
{
	(void)curl_multi_cleanup(client->multi);
	client->multi = NULL;
	client->timer.data = client;
	client->deferred.data = client;
	uv_close((uv_handle_t *)&client->timer, on_handle_closed);
	uv_close((uv_handle_t *)&client->deferred, on_handle_closed);
}

static void start_request(struct http_request *request)
{
	if (request->unreached.code < 0) {
		finish_request(request, CURLE_COULDNT_CONNECT);
		return;
	}
	http_reach_begin(&request->reach, &request->client->failures, request->connect_timeout_ms,
			 uv_now(request->client->loop));
	if (request->local_error.code < 0 ||
	    curl_multi_add_handle(request->client->multi, request->easy) != CURLM_OK) {
		finish_request(request, CURLE_FAILED_INIT);
		return;
	}
	request->added = true;
}

/* The next request with something to do. Each pass begins anew: a callback may have ended any
 * of them. */
static struct http_request *next_deferred(struct http_client *client)
{
	struct http_request *request = client->first;

	while (request && !request->start_wanted && !request->cancel_wanted &&
	       !request->resume_wanted && !request->connect_wanted)
		request = request->next;
	return request;
}

/* A request may find no room after all, and pause again. libcurl 8.14 reads and keeps another
 * buffer at each such resume, unless sending is paused too. */
static void resume_request(struct http_request *request)
{
	request->paused = false;
	(void)curl_easy_pause(request->easy, CURLPAUSE_CONT);
	if (request->paused)
		(void)curl_easy_pause(request->easy, CURLPAUSE_ALL);
}

static void on_deferred(uv_idle_t *idle)
{
	struct http_client *client = container_of(idle, struct http_client, deferred);
	struct http_request *request;

	(void)uv_idle_stop(idle);
	while ((request = next_deferred(client))) {
		bool to_start = request->start_wanted;
		bool to_resume = request->resume_wanted;

		request->start_wanted = false;
		request->resume_wanted = false;
		if (request->cancel_wanted)
			finish_request(request, CURLE_ABORTED_BY_CALLBACK);
		else if (request->connect_wanted)
			finish_request(request,
				       CURLE_COULDNT_CONNECT); /* it connects first, if it can */
		else if (to_start)
			start_request(request);
		else if (to_resume)
			resume_request(request);
	}
	drain(client);
	if (client->closing && !client->first && client->multi)
		close_handles(client);
}

static void defer(struct http_client *client)
{
	if (!uv_is_closing((uv_handle_t *)&client->deferred))
		(void)uv_idle_start(&client->deferred, on_deferred);
}

int http_client_init(struct http_client **ret, uv_loop_t *loop, struct err *err)
{
	struct http_client *client = calloc(1, sizeof(*client));

	if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto out_of_memory;
	client->multi = curl_multi_init();
	if (!client->multi)
		goto out_of_memory;
	client->loop = loop;
	client->handles = 2;
	(void)uv_timer_init(loop, &client->timer);
	(void)uv_idle_init(loop, &client->deferred);
	(void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	(void)curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	(void)curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	(void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
	*ret = client;
	return 0;
out_of_memory:
	free(client);
	return err_set(err, -ENOMEM, "HTTP client: out of memory");
}

int http_client_get(struct http_client *client, const struct http_get *get,
		    struct http_request **ret)
{
	struct http_request *request = http_request_new(client, get);
	struct http_request **last = &client->first; /* older ones are served first */

	assert(!client->closing);
	if (!request)
		return -ENOMEM;
	request->start_wanted = true;
	while (*last)
		last = &(*last)->next;
	*last = request;
	defer(client);
	*ret = request;
	return 0;
}

void http_request_cancel(struct http_request *request)
{
	request->cancel_wanted = true;
	defer(request->client);
}

void http_request_resume(struct http_request *request)
{
	request->resume_wanted = true;
	defer(request->client);
}

void http_client_close(struct http_client *client, void (*closed)(void *owner), void *owner)
{
	client->closing = true;
	client->closed = closed;
	client->owner = owner;
	for (struct http_request *request = client->first; request; request = request->next)
		request->cancel_wanted = true;
	defer(client);
}
