/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_outcome.h"

#include <errno.h>
#include <string.h>

bool http_outcome_is_of_redirect(const struct http_request *request)
{
	return request->head.has_location && !request->headed;
}

/* The status by which the proxy refused to let us reach the server; 0 = it did not refuse. */
static long refused_by_proxy(const struct http_request *request)
{
	long status = 0;

	if (request->headed || !request->reach.proxy)
		return 0;
	if (request->head.status == 407)
		return 407;
	(void)curl_easy_getinfo(request->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status == 403 || status == 407 ? status : 0;
}

static enum http_outcome classify(const struct http_request *request, CURLcode code)
{
	if (code != CURLE_OK && refused_by_proxy(request) > 0)
		return HTTP_PROXY_REFUSED;
	switch (code) {
	case CURLE_OK:
		return HTTP_DONE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_RESOLVE_FAILED;
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
		return HTTP_CONNECT_FAILED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_TLS_FAILED;
	case CURLE_TOO_MANY_REDIRECTS:
		return HTTP_REDIRECT_FAILED;
	case CURLE_UNSUPPORTED_PROTOCOL:
		return http_outcome_is_of_redirect(request) ? HTTP_REDIRECT_FAILED
							    : HTTP_PROTOCOL_ERROR;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
		return HTTP_CUT;
	case CURLE_FAILED_INIT:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ENGINE_INITFAILED:
		return HTTP_LOCAL_ERROR;
	default:
		return HTTP_PROTOCOL_ERROR;
	}
}

/* Did TLS come about with a connection of this request, over which nothing came then? */
static bool got_nothing_after_tls(const struct http_request *request, CURLcode code)
{
	curl_off_t tls_after = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_APPCONNECT_TIME_T, &tls_after);
	return code == CURLE_GOT_NOTHING && tls_after > 0;
}

/* Does the server not speak HTTP/1.1? Over TLS it refuses the protocol (ALPN), or closes when it
 * sees that it was not agreed on; without TLS it sends something that is no HTTP reply. */
static bool speaks_another_protocol(const struct http_request *request, CURLcode code,
				    enum http_outcome outcome)
{
	if (outcome == HTTP_TLS_FAILED)
		return strstr(request->curl_error, "no application protocol") != NULL;
	if (outcome == HTTP_CUT)
		return got_nothing_after_tls(request, code);
	return outcome == HTTP_PROTOCOL_ERROR && !request->headed &&
	       (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
		code == CURLE_HTTP2);
}

static void describe(const struct http_request *request, CURLcode code, struct http_result *result)
{
	static const char *const what[] = {
		[HTTP_RESOLVE_FAILED] = "cannot resolve",
		[HTTP_CONNECT_FAILED] = "cannot connect to",
		[HTTP_TLS_FAILED] = "TLS with",
		[HTTP_REDIRECT_FAILED] = "redirect refused from",
		[HTTP_CUT] = "the connection was cut by",
		[HTTP_PROTOCOL_ERROR] = "not an HTTP reply that can be used from",
		[HTTP_LOCAL_ERROR] = "cannot ask",
	};
	const char *detail =
		request->curl_error[0] ? request->curl_error : curl_easy_strerror(code);
	const char *advice = speaks_another_protocol(request, code, result->outcome)
				     ? "; it may speak HTTP/2 only: let it speak HTTP/1.1, too"
				     : "";

	if (request->local_error.code < 0)
		result->err = request->local_error;
	else if (result->outcome == HTTP_PROXY_REFUSED)
		(void)err_set(&result->err, -EACCES,
			      "the proxy does not let us through to %s: HTTP %ld%s", request->host,
			      refused_by_proxy(request),
			      refused_by_proxy(request) == 407
				      ? ", check proxy-username and proxy-password-file"
				      : "");
	else if (request->unreached.code < 0 && result->outcome == HTTP_CONNECT_FAILED)
		(void)err_set(&result->err, -EIO, "%s %s: %s", what[result->outcome], request->host,
			      request->unreached.text);
	else
		(void)err_set(&result->err, -EIO, "%s %s: %s%s", what[result->outcome],
			      request->host, detail, advice);
}

void http_outcome_of(const struct http_request *request, CURLcode code, struct http_result *result)
{
	result->outcome = classify(request, code);
	if (result->outcome != HTTP_DONE)
		describe(request, code, result);
}
