/* SPDX-License-Identifier: GPL-3.0-or-later */
/* download.h - one download: carries out what its engine decides, and keeps its state on disk.
 *
 * <state-directory>/downloads/<version>/ has manifest.jws, request.json, the journal `pieces`, the
 * chunk index `chunks` and <file>.part, and history.json. Everything that touches the disk is a job
 * on the thread pool, one at a time.
 *
 * Calling sequence: download_new, or download_load for one of an earlier run -> download_run ...
 * -> download_close. Only download_list calls these.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/settings.h"
#include "base/work.h"
#include "download/catalog.h"
#include "download/engine/engine.h"
#include "download/engine/history.h"
#include "download/image/fill.h"
#include "download/image/image_file.h"
#include "download/image/piece_map.h"
#include "download/image/repository.h"
#include "download/image/trusted_keys.h"
#include "download/peer_pieces.h"
#include "download/peer_turn.h"
#include "download/receive_buffers.h"
#include "download/source_list.h"
#include "download/transfer.h"

/* Verified pieces go to the journal when they are so many bytes, or after 2 s. What a kill may lose
 * is bounded by the receive_buffers (docs/download.md, "On disk"): 7 MiB, and one piece a request.
 * Two downloads that both wait for more leave half of that to what still arrives. */
#define SYNC_BYTES      (2u << 20)
#define UNSYNCED_MS_MAX 2000u

#define NOT_RECORDED UINT32_MAX

/* The chunk index, in the download's directory. */
#define DOWNLOAD_CHUNKS_FILE "chunks"

struct download;

/* What all downloads share; it must outlive them. */
struct download_home {
	uv_loop_t *loop;
	struct http_client *client;
	struct receive_buffers *buffers;
	struct repository *repository;
	const struct config *config; /* of now: exchanged by a reload */
	bool marks_downloaded;       /* an image that was downloaded is marked as not imported */
	char *downloads_directory;
	uint8_t boot_id[16];
	/* Before room is made on disk for an image of size bytes: may it be had, and which images
	 * go first? The repository has forgotten them when it returns 0, and their files are
	 * removed then. NULL = nobody is asked. */
	int (*make_room)(struct download *download, uint64_t size, struct image_names *ret_going,
			 struct err *err);
	void (*changed)(struct download *download);    /* its state */
	void (*progressed)(struct download *download); /* once a second while it runs */
	void (*recorded)(struct download *download);   /* its record on disk is up to date */
};

enum disk_task {
	DISK_TASK_OPEN,
	DISK_TASK_CHECK,
	DISK_TASK_PREPARE,
	DISK_TASK_SYNC,
	DISK_TASK_CHUNKS,
	DISK_TASK_FINISH,
	DISK_TASK_DISCARD,
	DISK_TASK_SAVE,
	DISK_TASK_CLOSE,
	DISK_TASK_COUNT,
};

/* The job that is on the thread pool, and what it works with. While it runs the loop thread
 * leaves all of it alone. */
struct disk_job {
	struct work work;
	bool busy;
	unsigned wanted; /* one bit a task */
	enum disk_task task;
	atomic_bool stop; /* a check, or reading back, is to end early */
	struct err err;
	struct err notice;  /* for the log: a journal cut off or discarded */
	struct err without; /* likewise: the image goes without its chunk index */
	/* open, prepare, check */
	struct manifest manifest;
	bool has_manifest;
	char *manifest_jws;
	size_t manifest_jws_size;
	struct image_names going; /* to be removed before */
	struct trusted_keys keys;
	enum piece_map_found found;
	bool has_chunks;  /* the manifest's chunk index is there */
	uint8_t *checked; /* bitmap */
	/* finish */
	enum { FINISH_DONE, FINISH_DAMAGED, FINISH_STOPPED } finished; /* damaged: see notice */
	/* discard */
	bool also_image; /* the published one */
	/* sync */
	uint32_t *batch;
	size_t n_batch;
	uint64_t batch_bytes;
	/* chunks */
	char *chunks; /* the index that has come, as the manifest has it; owned */
	/* save */
	char *record;
	uint32_t attempt; /* in it */
	char *history;    /* history.json, if it is to be written; else NULL */
	bool history_failed;
};

/* How it went, and what was counted of that when the last point ended. */
struct download_history {
	struct history history;
	bool runs;                     /* bytes are counted: the download fetches */
	char source[SOURCE_NAME_SIZE]; /* that was active last, in this attempt; "" = none */
	uint64_t bytes[SOURCES_MAX];   /* by position among the engine's sources */
	uint64_t failures[SOURCES_MAX];
	bool changed; /* since it was last written */
	bool due;     /* to be written with the next record */
	uint64_t written_ms;
};

/* How it stands with the chunk index of the manifest (download_chunks.c). */
enum chunks_state {
	CHUNKS_NONE, /* the manifest has none, or no source has it */
	CHUNKS_WANTED,
	CHUNKS_COMING,
	CHUNKS_THERE, /* on disk */
};

/* What is copied from other images of the node (download_fill.c). */
struct download_fill {
	enum {
		FILL_NOT_BEGUN,
		FILL_OPENING, /* what is where is looked up */
		FILL_RUNS,
		FILL_CUTS, /* looks into the next of the configuration's seeds */
		FILL_OVER, /* for this manifest, as long as the file stays open */
	} state;
	struct work work;
	bool busy; /* the job runs: the loop leaves the rest alone */
	bool more; /* seeds are to be cut */
	struct fill fill;
	bool cut_more;  /* what the job says of it */
	uint32_t first; /* pieces that the job copies */
	uint32_t n;
	uint32_t right; /* one bit each */
	struct fill_held held;
	struct err err;
};

struct download {
	struct download_home *home;
	struct download *next; /* in the list */
	char version[MANIFEST_NAME_SIZE];
	char *directory;
	struct engine engine;
	int64_t started_s; /* Unix seconds */

	struct source_list sources;
	struct trusted_keys keys;
	struct catalog catalog;
	struct peer_turn sequence;
	struct peer_pieces pieces;         /* the HA peer's */
	struct download_fetcher *fetchers; /* conductors that fetch the image for us */
	struct transfer transfers[SLOTS_MAX];
	struct transfer_target target;
	uv_timer_t wake;
	uv_timer_t tick;

	struct download_fill fill;
	enum chunks_state chunks;
	struct http_fetch *chunks_fetch;       /* while it comes */
	unsigned chunks_source;                /* from whom */
	uint64_t chunks_asked;                 /* sources that did not have it, one bit each */
	struct manifest manifest;              /* as signed it is on disk only: it may have 4 MiB */
	uint8_t imported_at_peer[DIGEST_SIZE]; /* of the manifest there; 0 = no such image */
	struct image_file file;
	bool file_is_open;
	struct piece_map map;
	bool map_is_open;

	struct disk_job disk;
	uint32_t *unsynced; /* verified, not in the journal; owned */
	size_t n_unsynced;
	size_t room_unsynced;
	uint64_t unsynced_bytes;
	uint64_t unsynced_since_ms;
	uint64_t saved_ms;          /* when request.json was last written */
	unsigned recorded_source;   /* the active one in it, or NOT_RECORDED */
	uint64_t recorded_verified; /* bytes in the journal when it was written */

	struct download_history history;
	uint64_t rate;          /* bytes a second, smoothed */
	uint64_t bytes_at_tick; /* of bytes_fetched */
	bool discarding;        /* ends, and everything it has on disk goes */
	bool renewing;          /* likewise, and then begins anew */
	bool closing;
	bool closed_disk;
	enum engine_state state_at_close;
	unsigned handles; /* not closed yet */
	void (*closed)(struct download *download);
};

/* The engine's time: CLOCK_BOOTTIME, milliseconds. */
uint64_t download_clock_ms(void);

/* A new download, queued. Its record is written at once, on the calling thread: -EEXIST, or the
 * disk's error. sequenced: one node of the router after the other. */
int download_new(struct download **ret, struct download_home *home, const char *version,
		 bool sequenced, struct err *err);

/* One of an earlier run, from its folder. -ENOENT if it has no record. */
int download_load(struct download **ret, struct download_home *home, const char *version,
		  struct err *err);

/* These tell the engine what their names say; the caller has checked that the state allows it.
 * discard: the data on disk is removed once nothing uses it any more. */
void download_run(struct download *d);
void download_pause(struct download *d);
void download_resume(struct download *d);
void download_cancel(struct download *d, bool discard);
void download_restart(struct download *d, bool discard);
/* Does this node know its place in a sequence? -EINVAL. */
int download_check_sequence(const struct config *config, struct err *err);
/* Before download_restart: in sequence, from the beginning, or not. */
void download_sequence(struct download *d, bool sequenced);

/* Is its record on disk up to date? If not, recorded() is called when it is. */
bool download_is_recorded(const struct download *d);

/* The access mode may have changed: if the download uses a source that may not be used any more,
 * its attempt begins again at once, without that source. */
void download_leave_forbidden(struct download *d);

/* The configuration, or the share of the concurrency, has changed. */
void download_configure(struct download *d, unsigned concurrency);

/* The state to be shown: a download that is being started over is shown as queued, although its
 * old requests may still be ending. */
enum engine_state download_state(const struct download *d);

/* Stops in good order: what was received is written and synced, and the journal marked clean.
 * Then closed is called, which must free the download while what it uses still exists. */
void download_close(struct download *d, void (*closed)(struct download *d));
void download_free(struct download *d);

/* Does the HA peer have this very image, and as an imported one? Then it counts as imported here,
 * too. */
bool download_is_imported(const struct download *d);

/* Bytes of pieces that are verified. */
uint64_t download_bytes_verified(const struct download *d);
cJSON *download_to_json(const struct download *d);
/* history_json.h, with the download's version and state. */
cJSON *download_history_to_json(const struct download *d);
/* The map of its pieces (engine/piece_runs.h); without ranges until it is known which image it is.
 * NULL = out of memory. */
cJSON *download_pieces_to_json(const struct download *d);
