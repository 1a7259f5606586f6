/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_patience.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/macros.h"

#define NANOSECONDS_MS 1000000

uint64_t registry_now_ms(void)
{
	return uv_hrtime() / NANOSECONDS_MS;
}

int registry_patience_init(struct registry_patience *p, struct err *err)
{
	memset(p, 0, sizeof(*p));
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return p->wake < 0 ? err_set_errno(err, -errno, "registry: eventfd") : 0;
}

void registry_patience_release(struct registry_patience *p)
{
	(void)close(p->wake);
}

void registry_patience_begin(struct registry_patience *p, uint64_t ms)
{
	p->began_ms = registry_now_ms();
	p->until_ms = p->began_ms + ms;
}

bool registry_patience_is_given_up(const struct registry_patience *p)
{
	return __atomic_load_n(&p->given_up, __ATOMIC_ACQUIRE);
}

int registry_patience_left_ms(const struct registry_patience *p)
{
	uint64_t now = registry_now_ms();

	if (registry_patience_is_given_up(p) || now >= p->until_ms)
		return 0;
	return (int)MIN(p->until_ms - now, (uint64_t)INT_MAX);
}

int registry_patience_lost(const struct registry_patience *p, const char *who, struct err *err)
{
	if (registry_patience_is_given_up(p))
		return err_set(err, -ECANCELED, "%s: not waited for: this conductor stops", who);
	return err_set(err, -ETIMEDOUT, "%s: no answer within %llu ms", who,
		       (unsigned long long)(p->until_ms - p->began_ms));
}

int registry_patience_wait(const struct registry_patience *p, int fd, short events, int ms)
{
	struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = p->wake, .events = POLLIN}};
	int n = poll(fds, N_ELEMENTS(fds), MIN(ms, registry_patience_left_ms(p)));

	/* An interrupted wait counts as ready, because the caller looks at the socket itself. */
	return n < 0 || (n > 0 && fds[0].revents != 0);
}

void registry_patience_give_up(struct registry_patience *p)
{
	const uint64_t one = 1;

	__atomic_store_n(&p->given_up, true, __ATOMIC_RELEASE);
	(void)!write(p->wake, &one, sizeof(one));
}
