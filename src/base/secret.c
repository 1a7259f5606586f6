/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int keep_to_ourselves(void *pages, size_t size)
{
	/* mlock2() and not mlock(), because sanitizers replace mlock() by a function that does
	 * nothing. */
	if (mlock2(pages, size, 0) < 0 || madvise(pages, size, MADV_DONTDUMP) < 0 ||
	    madvise(pages, size, MADV_WIPEONFORK) < 0)
		return -errno;
	return 0;
}

int secret_init(struct secret *s, size_t size, struct err *err)
{
	void *pages;
	int rc;

	assert(size > 0);
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return err_set(err, -ENOMEM, "no memory for a secret of %zu bytes", size);
	rc = keep_to_ourselves(pages, size);
	if (rc < 0) {
		(void)munmap(pages, size);
		return err_set(err, -ENOMEM, "lock a secret of %zu bytes in memory: %s", size,
			       strerror(-rc));
	}
	*s = (struct secret){.bytes = pages, .size = size};
	return 0;
}

void secret_release(struct secret *s)
{
	if (s->bytes) {
		explicit_bzero(s->bytes, s->size);
		(void)munmap(s->bytes, s->size);
	}
	*s = (struct secret){0};
}

void secret_copy(uint8_t *to, const uint8_t *from, size_t size)
{
	const volatile uint8_t *source = from; /* volatile: no compiler makes one wide move of it */
	volatile uint8_t *target = to;

	for (size_t i = 0; i < size; i++)
		target[i] = source[i];
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	return a->bytes && b->bytes && a->size == b->size &&
	       CRYPTO_memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Says that a core dump contains none of our mappings. */
static void empty_coredump_filter(void)
{
	int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	/* If this fails, the other two measures still hold. */
	if (write(fd, "0", 1) < 0)
		errno = 0;
	(void)close(fd);
}

void secret_protect_process(void)
{
	/* The filter is written first, because a process that is not dumpable may not write its
	 * files in /proc any more. */
	empty_coredump_filter();
	(void)setrlimit(RLIMIT_CORE, &(struct rlimit){.rlim_cur = 0, .rlim_max = 0});
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
