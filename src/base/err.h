/* SPDX-License-Identifier: GPL-3.0-or-later */
/* err.h - a failure, told so that an operator can act on it.
 *
 * A function that an operator will read about returns 0 or a negative errno and fills a
 * struct err. The message says what was tried, what was expected and what came. On the way up
 * each caller puts in front of it what it was doing:
 *
 *	download SSR-7.1.3-1: source artifactory: manifest: signature by an unknown key
 *
 * Control characters and what is no UTF-8 are shown as \xNN: a message may quote a stranger.
 *
 * err may be NULL everywhere: then only the code is returned.
 */
#pragma once

#define ERR_TEXT_SIZE 1024 /* longer messages are cut, at a whole character */

struct err {
	int code;                 /* negative errno; 0 = none */
	char text[ERR_TEXT_SIZE]; /* without final period or newline */
};

/* Fill err; return code, which is a negative errno. */
int err_set(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Put "<format>: " in front of the message; return err's code (or -EIO if err is NULL). */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a system call's failure: "<format>: <strerror>". code is a negative errno. */
int err_set_errno(struct err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* clang's analyzer looks at one file at a time: this tells it that a negative code comes back. */
#ifdef __clang_analyzer__
void err_seen(const struct err *err, ...);
static inline int err_negative(int code)
{
	return code < 0 ? code : -1;
}
#define err_set(err, code, ...)       (err_seen(err, __VA_ARGS__), err_negative(code))
#define err_set_errno(err, code, ...) (err_seen(err, __VA_ARGS__), err_negative(code))
#define err_wrap(err, ...)            (err_seen(err, __VA_ARGS__), err_negative(-1))
#endif
