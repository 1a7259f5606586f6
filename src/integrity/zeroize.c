/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/zeroize.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/kept_key.h"
#include "base/macros.h"
#include "integrity/findings.h"
#include "integrity/nv_counter.h"
#include "integrity/policy_store.h"
#include "integrity/recovery.h"
#include "integrity/sealed_directory.h"
#include "integrity/tpm_child_retry.h"

/* What the child does to the TPM. */
struct erasure {
	const struct config_integrity *config;
	TPM2B_NAME known[SEAL_KNOWN_NAMES];
	bool has_record;
	TPM2_HANDLE record_handle;
	bool pin_too;
};

typedef int (*directory_cb)(const char *path, struct failure *f);

/* Those of the record, and those of the configuration. */
static int for_each_directory(const struct config_integrity *config,
			      const struct seal_record *record, directory_cb work,
			      struct failure *f)
{
	int rc = 0;

	for (size_t i = 0; record && rc == 0 && i < record->n_directories; i++)
		rc = work(record->directories[i].path, f);
	for (size_t i = 0; rc == 0 && i < config->n_directories; i++)
		rc = work(config->directories[i], f);
	return rc;
}

static int forget_contents_key(const char *path, struct failure *f)
{
	(void)f;
	kept_key_forget(path);
	return 0;
}

/* The tool locks and forgets nothing where its own files are missing. */
static int lock_if_encrypted(const char *path, struct failure *f)
{
	struct fscrypt_directory found;
	int rc = fscrypt_inspect(path, &found, f);

	if (rc < 0 || found.state == FSCRYPT_ABSENT || found.state == FSCRYPT_PLAIN)
		return rc;
	rc = fscrypt_setup(path, f);
	return rc == 0 && found.state == FSCRYPT_UNLOCKED ? fscrypt_lock(path, f) : rc;
}

static int evict(struct tpm *t, const struct erasure *e, TPM2_HANDLE handle, struct err *err)
{
	static const struct pcr_policy no_pcrs = {0};
	enum key_owner owner;
	bool like_ours = false;
	int rc = wrapping_key_owner(t, handle, e->known, N_ELEMENTS(e->known), &no_pcrs, &owner,
				    err);

	/* Without a record its Name is not known, and for PCRs of then nor is its policy. */
	if (rc == 0 && owner == KEY_FOREIGN && !e->has_record)
		rc = wrapping_key_is_like_ours(t, handle, &like_ours, err);
	if (rc == 0 && (owner == KEY_OURS || like_ours))
		rc = wrapping_key_evict(t, handle, err);
	return rc;
}

/* At the configured handles, and where the record says: somebody may have configured others since.
 */
static int evict_all(struct tpm *t, const struct erasure *e, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < KEY_HANDLES; i++)
		rc = evict(t, e, e->config->key_handle + i, err);
	return rc == 0 && e->has_record ? evict(t, e, e->record_handle, err) : rc;
}

static int undefine_all(struct tpm *t, const struct erasure *e, struct err *err)
{
	TPM2_HANDLE named[NAMED_INDICES_MAX];
	TPM2_HANDLE unnamed[PINS_MAX];
	size_t n = findings_named_indices(e->config, named);
	size_t n_unnamed = 0;
	int rc = pin_find_others(t, named, n, unnamed, PINS_MAX, &n_unnamed, err);

	for (size_t i = 0; rc == 0 && i < n_unnamed; i++)
		rc = pin_undefine(t, unnamed[i], err);
	for (unsigned i = 0; rc == 0 && i < PIN_CHAIN_MAX; i++)
		rc = pin_undefine(t, pin_index(e->config->nv_index, i), err);
	return rc == 0 ? nv_counter_undefine(t, e->config->seal_nv_index, true, err) : rc;
}

static int erase(struct tpm *t, const struct erasure *e, struct err *err)
{
	return e->pin_too ? undefine_all(t, e, err) : evict_all(t, e, err);
}

static int erase_in_child(struct tpm *t, void *shared, struct failure *f)
{
	int rc = erase(t, shared, &f->err);

	return rc < 0 ? failure_because(f, failure_tpm_cause(rc)) : 0;
}

static int erase_in_tpm(const struct config_integrity *config, const struct seal_record *record,
			bool pin_too, struct failure *f)
{
	struct erasure *e = tpm_child_alloc(sizeof(*e), f);
	int rc;

	if (!e)
		return f->err.code;
	e->config = config;
	e->pin_too = pin_too;
	e->has_record = record != NULL;
	e->record_handle = record ? record->key_handle : 0;
	seal_record_known_names(config->record_directory, e->known);
	rc = tpm_child_ask(config->tcti, TPM_DEVICE_WAIT_MS, erase_in_child, e, f);
	tpm_child_free(e, sizeof(*e));
	return rc;
}

static int overwrite(int fd)
{
	unsigned char noise[4096];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	for (off_t done = 0; done < st.st_size;) {
		size_t n = MIN(sizeof(noise), (size_t)(st.st_size - done));
		ssize_t written;

		if (RAND_bytes(noise, sizeof(noise)) != 1)
			return -EIO;
		written = pwrite(fd, noise, n, done);
		if (written < 0)
			return -errno;
		done += written;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int destroy_file(const struct config_integrity *config, const char *file, struct failure *f)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;
	int rc;

	(void)snprintf(path, sizeof(path), "%s/%s", config->record_directory, file);
	/* What lies in its place and is no file, a FIFO or a link, has nothing to be overwritten.
	 */
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0
				       : failure_set(f, CAUSE_SYSTEM, -errno, "look at %s: %s",
						     path, strerror(errno));
	fd = S_ISREG(st.st_mode) ? open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
	rc = 0;
	if (S_ISREG(st.st_mode))
		rc = fd < 0 ? -errno : overwrite(fd);
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0 && remove(path) < 0)
		rc = -errno;
	if (rc < 0)
		return failure_set(f, CAUSE_SYSTEM, rc, "overwrite and remove %s: %s", path,
				   strerror(-rc));
	if (directory_sync(config->record_directory, &f->err) < 0)
		return failure_because(f, CAUSE_SYSTEM);
	return 0;
}

int zeroize(const struct config_integrity *config, const struct seal_record *record,
	    struct failure *f)
{
	int rc = for_each_directory(config, record, forget_contents_key, f);

	if (rc == 0)
		rc = for_each_directory(config, record, lock_if_encrypted, f);
	if (rc == 0)
		rc = erase_in_tpm(config, record, false, f);
	if (rc == 0)
		rc = destroy_file(config, SEAL_RECORD_NEW_FILE, f);
	if (rc == 0)
		rc = destroy_file(config, RECOVERY_FILE, f);
	if (rc == 0)
		rc = destroy_file(config, SEAL_RECORD_FILE, f);
	if (rc == 0 && policy_store_clear(config, &f->err) < 0)
		rc = failure_because(f, CAUSE_SYSTEM);
	if (rc == 0)
		rc = erase_in_tpm(config, record, true, f);
	if (rc == 0)
		rc = for_each_directory(config, record, sealed_directory_destroy, f);
	return rc;
}
