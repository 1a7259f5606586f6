/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/log_events.h"
#include "base/macros.h"
#include "base/process.h"
#include "integrity/contents.h"
#include "integrity/fscrypt.h"
#include "integrity/seal_record.h"

#define MARK                ".steward-migrating"
#define DESCRIPTORS_OF_WALK 16
#define COPY_TIMEOUT_MS     3600000u

struct places {
	const char *path;
	char aside[PATH_MAX];
	char done[PATH_MAX];
	char mark[PATH_MAX];
	char parent[PATH_MAX];
};

static int failed(struct failure *f, const char *what, const char *path)
{
	const int code = -errno;

	return failure_set(f, CAUSE_SYSTEM, code, "%s %s: %s", what, path, strerror(-code));
}

static int find_places(const char *path, struct places *ret, struct failure *f)
{
	const char *slash = strrchr(path, '/');

	ret->path = path;
	if ((size_t)snprintf(ret->aside, PATH_MAX, "%s.migrating", path) >= PATH_MAX ||
	    (size_t)snprintf(ret->done, PATH_MAX, "%s.migrated", path) >= PATH_MAX ||
	    (size_t)snprintf(ret->mark, PATH_MAX, "%s/" MARK, path) >= PATH_MAX)
		return failure_set(f, CAUSE_SYSTEM, -ENAMETOOLONG, "%s: path too long", path);
	(void)snprintf(ret->parent, PATH_MAX, "%.*s", (int)MAX(slash - path, 1), path);
	return 0;
}

static bool exists(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int rename_synced(const struct places *p, const char *from, const char *to,
			 struct failure *f)
{
	if (rename(from, to) < 0)
		return failed(f, "rename", from);
	return directory_sync(p->parent, &f->err) < 0 ? failure_because(f, CAUSE_SYSTEM) : 0;
}

/* What a walk finds: nftw() gives its callback nothing of ours. */
static struct {
	dev_t device;
	uint64_t bytes;
	char why[ERR_TEXT_SIZE / 2];
} walk;

static int look_at(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const mode_t kind = st->st_mode & S_IFMT;

	(void)type;
	(void)where;
	walk.bytes += (uint64_t)st->st_blocks * 512;
	if (st->st_dev != walk.device)
		(void)snprintf(walk.why, sizeof(walk.why), "%s is another filesystem", path);
	else if (kind != S_IFREG && kind != S_IFDIR && kind != S_IFLNK)
		(void)snprintf(walk.why, sizeof(walk.why),
			       "%s is neither a file, a directory nor a link", path);
	return walk.why[0] ? 1 : 0;
}

static int not_able(struct failure *f, const char *path, const char *why)
{
	f->cause = CAUSE_NONE;
	return err_set(&f->err, -EOPNOTSUPP, "%s cannot be moved in: %s", path, why);
}

static int check(const struct places *p, struct failure *f)
{
	struct statvfs fs;
	struct stat st;

	if (exists(p->aside) || exists(p->done))
		return not_able(f, p->path,
				"beside it is a .migrating or .migrated of before, which is in "
				"the way");
	memset(&walk, 0, sizeof(walk));
	if (lstat(p->path, &st) < 0 || statvfs(p->parent, &fs) < 0)
		return failed(f, "look at", p->path);
	walk.device = st.st_dev;
	if (nftw(p->path, look_at, DESCRIPTORS_OF_WALK, FTW_PHYS) < 0)
		return failed(f, "look at", p->path);
	if (walk.why[0])
		return not_able(f, p->path, walk.why);
	if (walk.bytes + walk.bytes / 8 > (uint64_t)fs.f_bavail * fs.f_frsize)
		return not_able(f, p->path, "its filesystem has no room for a second copy");
	return 0;
}

static bool is_full_and_plain(const char *path)
{
	struct fscrypt_directory found;
	struct failure ignored = {0};

	return fscrypt_inspect(path, &found, &ignored) == 0 && found.state == FSCRYPT_PLAIN &&
	       !found.empty;
}

int migrate_begin(const struct config_integrity *config, struct failure *f)
{
	struct places p;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < config->n_directories; i++) {
		rc = find_places(config->directories[i], &p, f);
		if (rc == 0 && is_full_and_plain(p.path))
			rc = check(&p, f);
	}
	for (size_t i = 0; rc == 0 && i < config->n_directories; i++) {
		rc = find_places(config->directories[i], &p, f);
		if (rc == 0 && is_full_and_plain(p.path))
			rc = rename_synced(&p, p.path, p.aside, f);
	}
	return rc;
}

/* rename() replaces an empty directory, and nothing else. */
static int move_back(const struct config_integrity *config, struct failure *f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < config->n_directories; i++) {
		struct places p;

		rc = find_places(config->directories[i], &p, f);
		if (rc == 0 && is_full_and_plain(p.aside))
			rc = rename_synced(&p, p.aside, p.path, f);
	}
	return rc;
}

void migrate_put_back(const struct config_integrity *config)
{
	struct failure f = {0};

	if (!seal_record_exists(config->record_directory, SEAL_RECORD_FILE) &&
	    move_back(config, &f) < 0)
		log_event(LOG_INTEGRITY_NOT_SETTLED, &(struct log_fields){.reason = f.err.text},
			  "what was to be moved in is not put back: %s", f.err.text);
}

bool migrate_is_pending(const struct config_integrity *config)
{
	struct failure ignored = {0};
	bool pending = false;

	for (size_t i = 0; i < config->n_directories; i++) {
		struct places p;

		pending |= find_places(config->directories[i], &p, &ignored) == 0 &&
			   (exists(p.aside) || exists(p.mark));
	}
	return pending;
}

void migrate_tell_of_pending(const struct config_integrity *config)
{
	if (migrate_is_pending(config))
		log_event(LOG_INTEGRITY_NOT_SETTLED, NULL,
			  "beside an encrypted directory there is a .migrating: if it is of a "
			  "migration that was interrupted, 'stewardctl request "
			  "configuration-integrity enable migrate' moves it in");
}

static int run_tool(const char *const *argv, struct failure *f)
{
	const struct process_command command = {
		.argv = argv, .fd = -1, .timeout_ms = COPY_TIMEOUT_MS};
	struct process_result result;

	if (process_run(&command, &result, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	if (result.exit_status != 0)
		return failure_set(f, CAUSE_SYSTEM, -EIO, "%s ended with status %d: %s", argv[0],
				   result.exit_status, result.last_line);
	return 0;
}

/* Creates the mark at once and empty: a mark that is half written would count as one of D's own
 * files. */
static int make_mark(const struct places *p, struct failure *f)
{
	int fd = open(p->mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return failed(f, "create", p->mark);
	(void)close(fd);
	return directory_sync(p->path, &f->err) < 0 ? failure_because(f, CAUSE_SYSTEM) : 0;
}

static int sync_all(const char *path, struct failure *f)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || syncfs(fd) < 0 ? failed(f, "sync the filesystem of", path) : 0;

	if (fd >= 0)
		(void)close(fd);
	return rc;
}

/* Copies, again after a power cut: cp overwrites files that are half copied. */
static int copy_in(const struct places *p, struct failure *f)
{
	char from[PATH_MAX + 2];
	const char *const copy[] = {"cp", "--archive", "--force", "--", from, p->path, NULL};
	const char *const compare[] = {"diff", "--recursive", "--no-dereference", "--brief", "-x",
				       MARK,   "--",          p->aside,           p->path,   NULL};
	int rc;

	(void)snprintf(from, sizeof(from), "%s/.", p->aside);
	rc = run_tool(copy, f);
	if (rc == 0)
		rc = run_tool(compare, f);
	if (rc == 0)
		rc = sync_all(p->path, f);
	if (rc < 0)
		(void)err_wrap(&f->err, "what was in %s is whole in %s, and not all in there yet",
			       p->path, p->aside);
	return rc;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static int remove_done(const struct places *p, struct failure *f)
{
	if (exists(p->done) &&
	    nftw(p->done, remove_one, DESCRIPTORS_OF_WALK, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
		return failed(f, "remove", p->done);
	if (directory_sync(p->parent, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	if (unlink(p->mark) < 0 && errno != ENOENT)
		return failed(f, "remove", p->mark);
	if (directory_sync(p->path, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	log_event(LOG_INTEGRITY_MIGRATED, NULL,
		  "%s has its contents again, encrypted. The plain ones are removed, not erased: "
		  "until they are written over they may be read on the medium, in free blocks, in "
		  "the filesystem's journal and, on flash, in blocks that the drive has set aside",
		  p->path);
	return 0;
}

static int finish_move(const struct config_integrity *config, const struct places *p, bool by_hand,
		       struct failure *f)
{
	struct fscrypt_directory found;
	int rc = fscrypt_inspect(p->path, &found, f);

	if (rc < 0 || found.state != FSCRYPT_UNLOCKED)
		return rc;
	if (!exists(p->mark)) {
		if (!by_hand || !exists(p->aside))
			return 0;
		if (!found.empty)
			return failure_set(f, CAUSE_SYSTEM, -ENOTEMPTY,
					   "both %s and %s have files in them: which are to "
					   "stay?",
					   p->path, p->aside);
		rc = make_mark(p, f);
	}
	if (rc == 0 && exists(p->aside)) {
		rc = copy_in(p, f);
		if (rc == 0)
			rc = rename_synced(p, p->aside, p->done, f);
	}
	if (rc == 0)
		rc = contents_take_in_moved(config, p->path, f);
	return rc == 0 ? remove_done(p, f) : rc;
}

int migrate_finish(const struct config_integrity *config, bool by_hand, struct failure *f)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < config->n_directories; i++) {
		struct places p;

		rc = find_places(config->directories[i], &p, f);
		if (rc == 0)
			rc = finish_move(config, &p, by_hand, f);
	}
	return rc;
}
