/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ThreadSanitizer is told to overlook, and why. Part of each program that is built with it, so
 * that it holds wherever and as whoever a test runs one. */

const char *__tsan_default_suppressions(void);

/* libuv closes with the system call itself, which ThreadSanitizer does not see: a descriptor whose
 * number is used again looks as if two threads had the same one, also where libuv takes one that is
 * closed out of its epoll. libc's time zone has a lock of
 * libc's own, which it does not see either. */
const char *__tsan_default_suppressions(void)
{
	return "race:uv_pipe\n"
	       "race:uv_socketpair\n"
	       "race:^epoll_ctl$\n"
	       "race:tzset_internal\n";
}
