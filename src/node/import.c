/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/import.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "base/work.h"
#include "download/image/chunk_keep.h"
#include "download/image/trusted_keys.h"
#include "download/receive_buffers.h"
#include "node/node.h"

/* How many manifests may wait for their file; one more replaces the oldest. */
#define PENDING_MAX 4

/* A block is written as soon as it might lack room for the bytes that libmicrohttpd brings next. */
#define BLOCK_FULL (BLOCK_SIZE - HTTP_BODY_MAX)

struct pending {
	struct manifest manifest;
	char *jws;
	size_t jws_size;
};

static struct pending pending[PENDING_MAX];
static unsigned n_pending;

struct import {
	struct node *node;
	struct http_exchange *x; /* NULL = the exchange is gone */
	struct pending pending;
	struct claim claim;
	char directory[PATH_MAX];
	struct image_file file;
	bool file_is_open;
	struct work work;
	struct image_pieces pieces;
	struct block block;
	uint64_t received;
	bool writing;
	bool whole; /* the last byte has come */
	struct err err;
	struct err index_err;
	struct err chunks_err;
};

static void pending_release(struct pending *p)
{
	manifest_release(&p->manifest);
	free(p->jws);
	memset(p, 0, sizeof(*p));
}

static void take_pending(unsigned at, struct pending *ret)
{
	*ret = pending[at];
	memmove(&pending[at], &pending[at + 1], (n_pending - at - 1) * sizeof(pending[0]));
	n_pending--;
}

static bool find_pending(const char *version, unsigned *ret)
{
	for (unsigned i = 0; i < n_pending; i++) {
		if (strcmp(pending[i].manifest.version, version) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static void keep_pending(struct pending *p)
{
	struct pending old;
	unsigned at;

	if (find_pending(p->manifest.version, &at) || n_pending == PENDING_MAX) {
		take_pending(n_pending == PENDING_MAX ? 0 : at, &old);
		pending_release(&old);
	}
	pending[n_pending++] = *p;
}

void import_forget_manifests(void)
{
	while (n_pending > 0)
		pending_release(&pending[--n_pending]);
}

/* May version be imported? If not, the exchange is answered. */
static bool is_free(struct http_exchange *x, const char *version)
{
	struct node *n = http_exchange_owner(x);
	const struct download *download = download_list_find(n->downloads, version);
	const struct image *image = repository_find(n->repository, version);

	if (!manifest_name_is_valid(version))
		http_reply_problem(x, 400, "'%s' is not the name of a version", version);
	else if (image)
		http_reply_problem(x, 409, "the image %s is present%s", version,
				   image->imported ? ""
						   : ", by a download: delete it to import it");
	else if (download && !engine_state_is_ended(download_state(download)))
		http_reply_problem(x, 409, "a download of %s is unfinished", version);
	else if (claims_have(&n->claims, version))
		http_reply_problem(x, 409, "the image %s is just being imported", version);
	else
		return true;
	return false;
}

static int parse_manifest(struct http_exchange *x, struct pending *p, struct err *err)
{
	struct node *n = http_exchange_owner(x);
	struct span body = http_exchange_body(x);
	struct trusted_keys keys;
	struct err warning;
	int rc = trusted_keys_load(&keys, n->config, &warning, err);

	if (rc < 0)
		return rc;
	rc = manifest_parse(&p->manifest, keys.keys, keys.n, body,
			    http_exchange_parameter(x, "version"), err);
	trusted_keys_release(&keys);
	if (rc < 0)
		return err_wrap(err, "manifest");
	p->jws = malloc(body.size);
	if (!p->jws)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(p->jws, body.bytes, body.size);
	p->jws_size = body.size;
	return 0;
}

void import_put_manifest(struct http_exchange *x)
{
	struct pending p = {0};
	struct err err;
	cJSON *json;

	if (!is_free(x, http_exchange_parameter(x, "version")))
		return;
	if (parse_manifest(x, &p, &err) < 0) {
		pending_release(&p);
		http_reply_problem(x, 400, "%s", err.text);
		return;
	}
	keep_pending(&p);
	json = cJSON_CreateObject();
	cJSON_AddStringToObject(json, "version", p.manifest.version);
	cJSON_AddStringToObject(json, "file", p.manifest.file);
	cJSON_AddNumberToObject(json, "size", (double)p.manifest.size);
	http_reply_json(x, 201, json);
}

static void import_free(struct import *import)
{
	struct node *n = import->node;

	if (import->x)
		http_exchange_keep(import->x, NULL, NULL);
	if (import->file_is_open)
		image_file_remove(&import->file);
	(void)rmdir(import->directory);
	image_pieces_release(&import->pieces);
	claim_give_back(&n->claims, &import->claim);
	pending_release(&import->pending);
	free(import);
	node_job_ends(n);
}

/* The exchange has ended, before the file was whole or because it was answered. */
static void on_gone(void *kept)
{
	struct import *import = kept;

	import->x = NULL;
	if (!import->writing)
		import_free(import);
}

static int open_file(struct import *import)
{
	const struct node *n = import->node;
	bool existed;

	/* '#' is in no version's name: what is left of it is never taken for a download. */
	(void)snprintf(import->directory, sizeof(import->directory), "%s/downloads/%s#import",
		       n->config->state_directory, import->pending.manifest.version);
	if (repository_make_directories(n->repository, &import->err) < 0)
		return import->err.code;
	if (mkdir(import->directory, 0755) < 0 && errno != EEXIST)
		return err_set_errno(&import->err, -errno, "create %s", import->directory);
	if (image_file_open(&import->file, import->directory, import->pending.manifest.file,
			    import->pending.manifest.size, &existed, &import->err) < 0)
		return import->err.code;
	import->file_is_open = true;
	return 0;
}

static struct import *begin_import(struct http_exchange *x)
{
	const char *version = http_exchange_parameter(x, "version");
	struct import *import;
	unsigned at;

	if (!is_free(x, version))
		return NULL;
	if (!find_pending(version, &at)) {
		http_reply_problem(x, 409, "the manifest of %s has not come before its file",
				   version);
		return NULL;
	}
	import = calloc(1, sizeof(*import));
	if (!import) {
		http_reply_problem(x, 500, "out of memory");
		return NULL;
	}
	import->node = http_exchange_owner(x);
	import->x = x;
	take_pending(at, &import->pending);
	(void)claim_take(&import->node->claims, &import->claim, import->pending.manifest.version);
	node_job_begins(import->node);
	http_exchange_keep(x, import, on_gone);
	if (open_file(import) == 0)
		return import;
	http_reply_problem(x, import->err.code == -ENOSPC ? 507 : 500, "%s", import->err.text);
	import_free(import);
	return NULL;
}

static void refuse_import(struct import *import, unsigned status)
{
	log_event(LOG_DISK_PROBLEM,
		  &(struct log_fields){.version = import->pending.manifest.version,
				       .reason = import->err.text},
		  "import of %s: %s", import->pending.manifest.version, import->err.text);
	if (import->x)
		http_reply_problem(import->x, status, "%s", import->err.text);
	import_free(import);
}

static void write_block(struct work *work)
{
	struct import *import = container_of(work, struct import, work);

	image_file_write(&import->file, &import->pending.manifest, import->block.offset,
			 span_of(import->block.bytes, import->block.size), &import->pieces);
}

static bool goes_on(void *owner)
{
	const struct node *n = owner;

	return !__atomic_load_n(&n->stopping, __ATOMIC_RELAXED);
}

/* The image comes without its chunk index, and gives it. Returns NULL if there is none. */
static char *make_chunk_index(struct import *import)
{
	const struct manifest *m = &import->pending.manifest;
	char *index = NULL;

	if (manifest_has_chunks(m))
		(void)chunk_keep_obtain(&import->file, m, NULL, goes_on, import->node, &index,
					&import->chunks_err);
	return index;
}

static void publish_import(struct work *work)
{
	struct import *import = container_of(work, struct import, work);
	struct node *n = import->node;
	char *index = make_chunk_index(import);
	const struct image_papers papers = {
		.jws = span_of(import->pending.jws, import->pending.jws_size),
		.chunk_index = span_of(index, index ? import->pending.manifest.chunks.size : 0),
		.without = &import->chunks_err,
	};
	int rc = image_file_publish(&import->file, &import->pending.manifest, &papers,
				    repository_directory(n->repository), &import->err);

	free(index);
	if (rc < 0)
		return;
	import->file_is_open = false;
	/* The image is there all the same; whoever publishes next, or the next start, writes it. */
	(void)repository_write_index(n->repository, &import->index_err);
}

static void on_published(struct work *work)
{
	struct import *import = container_of(work, struct import, work);
	const struct manifest *m = &import->pending.manifest;
	struct node *n = import->node;

	import->writing = false;
	if (import->err.code == 0 && repository_add(n->repository, m, true) < 0)
		(void)err_set(&import->err, -ENOMEM, "out of memory");
	if (import->err.code < 0) {
		refuse_import(import, 500);
		return;
	}
	if (import->index_err.code < 0)
		log_event(LOG_DISK_PROBLEM,
			  &(struct log_fields){.version = m->version,
					       .reason = import->index_err.text},
			  "import of %s: %s", m->version, import->index_err.text);
	if (import->chunks_err.code < 0)
		log_event(LOG_CHUNK_INDEX_MISSING,
			  &(struct log_fields){.version = m->version,
					       .reason = import->chunks_err.text},
			  "import of %s: %s", m->version, import->chunks_err.text);
	log_event(LOG_IMAGE_IMPORTED, &(struct log_fields){.version = m->version},
		  "image %s was imported", m->version);
	if (import->x)
		http_reply_json(import->x, 201,
				image_to_json(repository_find(n->repository, m->version)));
	import_free(import);
}

static void finish_import(struct import *import)
{
	const struct manifest *m = &import->pending.manifest;

	if (import->received != m->size) {
		(void)err_set(&import->err, -EBADMSG, "%llu bytes came, the manifest says %llu",
			      (unsigned long long)import->received, (unsigned long long)m->size);
		refuse_import(import, 422);
		return;
	}
	import->writing = true;
	work_submit(&import->node->loop, &import->work, publish_import, on_published);
}

static void on_block_written(struct work *work)
{
	struct import *import = container_of(work, struct import, work);

	import->writing = false;
	import->block.size = 0;
	if (import->pieces.err.code < 0) {
		import->err = import->pieces.err;
		refuse_import(import, import->pieces.mismatch ? 422 : 500);
	} else if (!import->x) {
		import_free(import);
	} else if (import->whole) {
		finish_import(import);
	} else {
		http_exchange_go_on(import->x);
	}
}

static void write_rest(struct import *import)
{
	import->writing = true;
	work_submit(&import->node->loop, &import->work, write_block, on_block_written);
}

void import_upload_file(struct http_exchange *x, struct span bytes)
{
	struct import *import = http_exchange_kept(x);

	if (!import)
		import = begin_import(x);
	if (!import)
		return;
	if (bytes.size > import->pending.manifest.size - import->received) {
		(void)err_set(&import->err, -EBADMSG, "more bytes than the %llu of the manifest",
			      (unsigned long long)import->pending.manifest.size);
		refuse_import(import, 422);
		return;
	}
	if (import->block.size == 0)
		import->block.offset = import->received;
	memcpy(import->block.bytes + import->block.size, bytes.bytes, bytes.size);
	import->block.size += (uint32_t)bytes.size;
	import->received += bytes.size;
	if (import->block.size >= BLOCK_FULL) {
		http_exchange_wait(x);
		write_rest(import);
	}
}

void import_put_file(struct http_exchange *x)
{
	struct import *import = http_exchange_kept(x);

	if (!import)
		import = begin_import(x);
	if (!import)
		return;
	import->whole = true;
	if (import->block.size > 0)
		write_rest(import);
	else
		finish_import(import);
}
