/* block_job.h - one received block: hashed, written, and its pieces judged. On the thread pool.
 *
 * A block that begins inside a piece whose beginning an earlier request brought is hashed
 * after that beginning, which is read back from the file.
 */
#pragma once

#include "download/image/image_file.h"
#include "download/image/manifest.h"
#include "download/transfer.h"

/* Fills job's results. job->err is set for a failure of the disk and for a mismatch. */
void block_job_run(struct block_job *job, const struct manifest *manifest, struct image_file *file);
