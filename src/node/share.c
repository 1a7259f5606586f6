/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/share.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "download/download_share.h"
#include "node/images.h"
#include "node/node.h"

static void reply_missing(struct http_exchange *x)
{
	http_reply_problem(x, 404, "there is no such file");
}

/* Serves a range of an unfinished image. If some of its bytes are not verified yet, the answer is
 * 416. */
static void serve_range(struct http_exchange *x, const struct download *d)
{
	uint64_t size = d->manifest.size;
	uint64_t first = 0;
	uint64_t length = size;
	enum http_range_kind kind = http_exchange_range(x, size, &first, &length);
	int fd;

	if (kind == HTTP_RANGE_WHOLE) {
		reply_missing(x);
		return;
	}
	if (kind == HTTP_RANGE_UNSATISFIABLE || !download_shares_range(d, first, length)) {
		http_reply_unsatisfiable(x, size);
		return;
	}
	fd = download_open_shared(d);
	if (fd == -ENOENT)
		reply_missing(x);
	else if (fd < 0)
		images_reply_unreadable(x, fd);
	else
		http_reply_file(x, fd, size, "application/octet-stream");
}

static void serve_unfinished(struct http_exchange *x, const struct download *d, const char *file)
{
	char path[PATH_MAX];

	if (strcmp(file, "manifest.jws") == 0) {
		download_shared_manifest(d, path);
		images_serve_path(x, path, "application/jose");
	} else if (strcmp(file, "pieces") == 0) {
		http_reply_bytes(x, 200, "application/octet-stream", download_shared_pieces(d));
	} else if (manifest_has_chunks(&d->manifest) &&
		   strcmp(file, d->manifest.chunks.file) == 0) {
		download_shared_chunks(d, path);
		images_serve_path(x, path, "application/octet-stream");
	} else if (strcmp(file, d->manifest.file) == 0) {
		serve_range(x, d);
	} else {
		reply_missing(x);
	}
}

void share_serve_index(struct http_exchange *x)
{
	const struct node *n = http_exchange_owner(x);

	if (!n->program->serve_index || !n->program->serve_index(x))
		images_serve_index(x);
}

void share_serve_file(struct http_exchange *x)
{
	const struct node *n = http_exchange_owner(x);

	if (!n->program->serve_file || !n->program->serve_file(x))
		share_serve_own_file(x);
}

void share_serve_own_file(struct http_exchange *x)
{
	const struct node *n = http_exchange_owner(x);
	const char *version = http_exchange_parameter(x, "version");
	const struct download *d = download_list_find(n->downloads, version);

	if (repository_find(n->repository, version))
		images_serve_file(x);
	else if (d && download_shares(d) && (!images_only_imported(n) || download_is_imported(d)))
		serve_unfinished(x, d, http_exchange_parameter(x, "file"));
	else
		reply_missing(x);
}
