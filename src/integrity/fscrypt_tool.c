/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/fscrypt_tool.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/process.h"
#include "integrity/stopwatch.h"

/* Adding a key takes milliseconds, the first setup a second or two for its hash. */
#define TOOL_TIMEOUT_MS 60000

/* The FEK as a file that is nowhere but in locked memory. */
struct key_file {
	int fd; /* -1 = none */
	uint8_t *bytes;
	size_t size;
};

static void key_file_release(struct key_file *k)
{
	if (k->bytes) {
		explicit_bzero(k->bytes, k->size);
		(void)munmap(k->bytes, k->size);
	}
	if (k->fd >= 0)
		(void)close(k->fd);
}

/* On failure what was acquired is left to the caller's release. */
static int key_file_open(struct key_file *k, const struct secret *fek)
{
	void *pages;

	k->fd = memfd_create("fek", MFD_CLOEXEC);
	if (k->fd < 0 || ftruncate(k->fd, (off_t)fek->size) < 0)
		return -errno;
	pages = mmap(NULL, fek->size, PROT_READ | PROT_WRITE, MAP_SHARED, k->fd, 0);
	if (pages == MAP_FAILED)
		return -errno;
	k->bytes = pages;
	k->size = fek->size;
	if (mlock2(pages, k->size, 0) < 0 || madvise(pages, k->size, MADV_DONTDUMP) < 0)
		return -errno;
	/* Through the mapping, whose pages are locked before there is anything in them. */
	secret_copy(k->bytes, fek->bytes, k->size);
	return 0;
}

static int cannot_run(int code, struct failure *f)
{
	switch (code) {
	case -ETIMEDOUT:
		return failure_because(f, CAUSE_FSCRYPT_REFUSED);
	case -ENOMEM:
	case -EAGAIN:
	case -EMFILE:
	case -ENFILE:
		return failure_because(f, CAUSE_SYSTEM);
	default:
		return failure_because(f, CAUSE_FSCRYPT_MISSING);
	}
}

int fscrypt_tool(const char *const *argv, const struct secret *fek, struct failure *f)
{
	_cleanup_(key_file_release) struct key_file key = {.fd = -1};
	struct process_command command = {.argv = argv, .timeout_ms = TOOL_TIMEOUT_MS};
	struct stopwatch watch = stopwatch_start();
	struct process_result result;
	int rc = fek ? key_file_open(&key, fek) : 0;

	if (rc < 0)
		return failure_set(f, CAUSE_SYSTEM, rc, "hand the key to fscrypt: %s",
				   strerror(-rc));
	command.fd = key.fd;
	rc = process_run(&command, &result, &f->err);
	stopwatch_step(&watch, argv[1], 0);
	if (rc < 0)
		return cannot_run(rc, f);
	if (result.exit_status != 0)
		return failure_set(f, CAUSE_FSCRYPT_REFUSED, -EPROTO,
				   "fscrypt %s: exit status %d: %s", argv[1], result.exit_status,
				   result.said[0] ? result.said : "it said nothing");
	return 0;
}
