/* SPDX-License-Identifier: GPL-3.0-or-later */
/* download_list.h - all downloads of this node: which run, which wait, which have ended.
 *
 * At most two run (docs/download.md, "States"), the rest are queued in the order of their requests;
 * those that run share the concurrency.
 *
 * Calling sequence: download_list_init -> download_list_start -> ... -> download_list_close.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "download/download.h"
#include "download/image/claim.h"

#define DOWNLOADS_RUNNING_MAX 2

struct download_list;

struct download_list_options {
	uv_loop_t *loop;
	struct http_client *client;
	struct receive_buffers *buffers;
	struct repository *repository;
	const struct claims *claims; /* no download begins of what they have */
	const struct config *config;
	bool marks_downloaded; /* an image that was downloaded is marked as not imported */
	/* See struct download_home. May be NULL. */
	int (*make_room)(void *owner, const struct download *download, uint64_t size,
			 struct image_names *ret_going, struct err *err);
	/* A download's state has changed; once a second while one runs. */
	void (*changed)(void *owner, const struct download *download);
	void (*progressed)(void *owner, const struct download *download);
	/* What it is stands on disk (download_is_recorded). */
	void (*recorded)(void *owner, const struct download *download);
	void *owner;
};

int download_list_init(struct download_list **ret, const struct download_list_options *options,
		       struct err *err);

/* Go on with what earlier runs left: active ones run, paused ones stay paused. */
void download_list_start(struct download_list *list);

/* A new configuration; the old one may be freed afterwards. */
void download_list_configure(struct download_list *list, const struct config *config);

/* Stop in good order; closed is called later, and the list is freed. */
void download_list_close(struct download_list *list, void (*closed)(void *owner), void *owner);

struct download_request {
	const char *version;
	bool force;     /* whatever is there of it, the image too, is discarded */
	bool sequenced; /* one node of the router after the other */
};

/* Requests a version. Errors: -EINVAL (not the name of a version; sequenced without a peer),
 * -EEXIST (a download of it is unfinished, or the image is there), -EBUSY (claimed), and those of
 * the disk. */
int download_list_request(struct download_list *list, const struct download_request *request,
			  const struct download **ret, struct err *err);

/* Errors: -ENOENT (no such download), -EBUSY (not in its state). */
int download_list_pause(struct download_list *list, const char *version, struct err *err);
int download_list_resume(struct download_list *list, const char *version, struct err *err);
int download_list_cancel(struct download_list *list, const char *version, bool discard,
			 struct err *err);

const struct download *download_list_find(const struct download_list *list, const char *version);
const struct download *download_list_first(const struct download_list *list);
cJSON *download_list_to_json(const struct download_list *list);
