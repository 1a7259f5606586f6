/* SPDX-License-Identifier: GPL-3.0-or-later */
/* download_private.h - what the files of a download share.
 *
 * download.c makes and ends it and takes orders; download_actions.c performs what the engine
 * decides: download_discovery.c asks the sources, download_requests.c fetches, disk_queue.c orders
 * the disk jobs and disk_tasks.c is what they do on the thread pool; download_timers.c calls the
 * engine when time has passed; download_peer.c asks the HA peer; download_fetchers.c asks
 * conductors that fetch the image for us; download_chunks.c fetches the chunk index, and
 * download_fill.c copies what other images have; download_record.c reads and writes request.json;
 * download_history.c keeps history.json; download_status.c tells the world.
 */
#pragma once

#include "download/download.h"

/* Tell the engine, and perform what it asks for. */
void download_deliver(struct download *d, const struct engine_event *event);
void download_tell(struct download *d, enum engine_event_type type);
/* Our own disk, memory or keys. fatal: trying again changes nothing. */
void download_fail_locally(struct download *d, const struct err *err, bool fatal);

/* When the engine wants to be called although nothing happens (download_timers.c). */
void download_arm_timers(struct download *d);

/* ACTION_DISCOVER and ACTION_PREPARE (download_discovery.c). */
void download_discover(struct download *d);
void download_prepare(struct download *d, unsigned source);

/* The chunk index of the manifest (download_chunks.c). A manifest was taken; is its index there? */
void download_chunks_adopt(struct download *d, bool is_there);
/* The state may have changed: asks for it, or stops. */
void download_chunks_follow(struct download *d);
/* The sources change, or the download ends. */
void download_chunks_stop(struct download *d);
/* Logs that the image goes without it. */
void download_chunks_missing(const struct download *d, const struct err *why);

/* The job that writes it has ended. */
void download_chunks_written(struct download *d, bool good);

/* Pieces that other images of the node have (download_fill.c). The state may have changed: goes on,
 * or stops. */
void download_fill_follow(struct download *d);
/* A manifest was taken: if it has a chunk index, and the node something to look into, the engine
 * waits a little for what is found. */
void download_fill_expect(struct download *d);
/* Another manifest was taken. */
void download_fill_forget(struct download *d);

/* What transfers are given, once for all of them (download_requests.c). */
void download_make_target(struct download *d);
/* ACTION_REQUEST */
void download_start_request(struct download *d, const struct engine_action *action);

/* Begin the next disk job that is wanted, if none is running and it need not wait. */
void download_pump(struct download *d);
/* Ask for a disk job; it runs when those before it are done. */
void download_want(struct download *d, enum disk_task task);
/* A piece is verified and written: it goes to the journal with the next sync. */
int download_note_verified(struct download *d, uint32_t piece);
/* The same for one that was filled: its bytes occupy no buffers meanwhile. */
int download_note_filled(struct download *d, uint32_t piece);
/* After DISK_TASK_DISCARD and DISK_TASK_CLOSE (download.c). */
void download_discarded(struct download *d);
void disk_tasks_closed(struct download *d);
/* No request is in flight any more: do what had to wait for that. */
void download_settle(struct download *d);
/* The job, on the thread pool (disk_tasks.c). */
void disk_tasks_run(struct work *work);
void download_release_disk(struct download *d);

/* The HA peer (download_peer.c). */
void download_peer_init(struct download *d);
/* The engine has entered another state. */
void download_peer_enter(struct download *d);
/* Asks the peer what this state needs to know; to be called once a second. */
void download_peer_ask(struct download *d);
/* The state may have changed: stops asking what it does not need to know. */
void download_peer_follow(struct download *d);
/* Forgets what is known of the pieces of the peer. */
void download_peer_forget(struct download *d);
/* Conductors that fetch the image for us (download_fetchers.c). A source has answered that it does:
 * returns the bitmap of its pieces, for the engine, of which it has none yet; NULL = out of memory.
 */
const uint8_t *download_fetchers_add(struct download *d, unsigned source, uint32_t n_pieces);
/* Asks each which pieces it has; to be called once a second. */
void download_fetchers_ask(struct download *d);
void download_fetchers_stop(struct download *d);
void download_fetchers_forget(struct download *d);

/* Logs that the download no longer waits for the peer, and why. */
void download_peer_log(const struct download *d, const char *reason);

/* request.json as text, freed by the caller; NULL = out of memory. */
char *download_record_text(const struct download *d);
int download_record_read(struct download *d, struct err *err);
/* After a kill the journal may have more than the record. The difference is counted for the
 * source that was active. To be called once, when the journal was read. */
void download_record_catch_up(struct download *d);

/* How it went (download_history.c). read: once, after the record. A history that cannot be read is
 * logged, and begins anew. */
void download_history_read(struct download *d);
void download_history_release(struct download *d);
/* What came since the last call is one second's. */
void download_history_tick(struct download *d);
/* The engine has entered another state. */
void download_history_enter(struct download *d);
/* The engine has made a step: another source may be active. */
void download_history_follow(struct download *d);
void download_history_mark(struct download *d, enum history_kind kind, const char *source,
			   const char *reason);
/* The download begins anew. */
void download_history_forget(struct download *d);
/* history.json as text for the next record, freed by the caller; NULL = it is not due. last: there
 * is no later one. */
char *download_history_text(struct download *d, bool last);
/* That text was to be written. */
void download_history_written(struct download *d, bool failed);

void download_log_state(const struct download *d);
