/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "http/http_credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"

#define SECRET_MAX 4096

static int read_first_line(const char *path, char ret[SECRET_MAX], struct err *err)
{
	char *text = NULL;
	size_t size;
	int rc = file_read(path, SECRET_MAX - 1, &text, &size, err);

	if (rc < 0)
		return rc;
	text[strcspn(text, "\r\n")] = '\0';
	(void)snprintf(ret, SECRET_MAX, "%s", text);
	explicit_bzero(text, size);
	free(text);
	return 0;
}

/* itself: NULL = it is in the file. */
static int read_secret(const char *itself, const char *path, char ret[SECRET_MAX], struct err *err)
{
	if (!itself)
		return read_first_line(path, ret, err);
	(void)snprintf(ret, SECRET_MAX, "%s", itself);
	return 0;
}

static int set_password(CURL *easy, const struct http_access *access, struct err *err)
{
	char secret[SECRET_MAX] = "";
	int rc = 0;

	if (!access->username)
		return 0;
	if (access->password || access->password_file)
		rc = read_secret(access->password, access->password_file, secret, err);
	if (rc == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		(void)curl_easy_setopt(easy, CURLOPT_USERNAME, access->username);
		(void)curl_easy_setopt(easy, CURLOPT_PASSWORD, secret);
	}
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

static int set_token(CURL *easy, const struct http_access *access, struct err *err)
{
	char secret[SECRET_MAX] = "";
	int rc;

	if (!access->bearer_token && !access->bearer_token_file)
		return 0;
	rc = read_secret(access->bearer_token, access->bearer_token_file, secret, err);
	if (rc == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		(void)curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, secret);
	}
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

/* libcurl signs the method, the path and the headers that we set; the body is none. */
static int set_signature(CURL *easy, const struct http_access *access, struct err *err)
{
	char id[SECRET_MAX] = "";
	char secret[SECRET_MAX] = "";
	char scheme[128];
	int rc;

	if (!access->s3_region)
		return 0;
	rc = read_secret(access->s3_access_key, access->s3_access_key_file, id, err);
	if (rc == 0)
		rc = read_secret(access->s3_secret_key, access->s3_secret_key_file, secret, err);
	if (rc == 0) {
		(void)snprintf(scheme, sizeof(scheme), "aws:amz:%s:s3", access->s3_region);
		(void)curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, scheme);
		(void)curl_easy_setopt(easy, CURLOPT_USERNAME, id);
		(void)curl_easy_setopt(easy, CURLOPT_PASSWORD, secret);
	}
	explicit_bzero(id, sizeof(id));
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

/* libcurl sends it with the request, or with the CONNECT for a tunnel. */
static int set_proxy_password(CURL *easy, const struct http_access *access, struct err *err)
{
	char secret[SECRET_MAX] = "";
	int rc;

	if (!access->proxy || !access->proxy_username ||
	    (!access->proxy_password && !access->proxy_password_file))
		return 0;
	rc = read_secret(access->proxy_password, access->proxy_password_file, secret, err);
	if (rc == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_PROXYAUTH, CURLAUTH_BASIC);
		(void)curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, access->proxy_username);
		(void)curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, secret);
	}
	explicit_bzero(secret, sizeof(secret));
	return rc;
}

int http_credentials_set(CURL *easy, const struct http_access *access, struct err *err)
{
	int rc = set_password(easy, access, err);

	if (rc == 0)
		rc = set_token(easy, access, err);
	if (rc == 0)
		rc = set_signature(easy, access, err);
	if (rc == 0)
		rc = set_proxy_password(easy, access, err);
	return rc;
}
