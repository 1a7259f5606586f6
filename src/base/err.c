/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"

#undef err_set
#undef err_set_errno
#undef err_wrap

/* Any message may quote what a stranger wrote, so all of it is made printable. */
__attribute__((format(printf, 3, 0))) static void fill(struct err *err, int code,
						       const char *format, va_list arguments)
{
	char raw[ERR_TEXT_SIZE];

	(void)vsnprintf(raw, sizeof(raw), format, arguments);
	err->code = code;
	printable_copy(raw, err->text, sizeof(err->text));
}

int err_set(struct err *err, int code, const char *format, ...)
{
	va_list arguments;

	assert(code < 0);
	if (!err)
		return code;
	va_start(arguments, format);
	fill(err, code, format, arguments);
	va_end(arguments);
	return code;
}

int err_set_errno(struct err *err, int code, const char *format, ...)
{
	va_list arguments;
	char what[ERR_TEXT_SIZE];

	assert(code < 0);
	if (!err)
		return code;
	va_start(arguments, format);
	(void)vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return err_set(err, code, "%s: %s", what, strerror(-code));
}

int err_wrap(struct err *err, const char *format, ...)
{
	va_list arguments;
	char inner[ERR_TEXT_SIZE];
	char outer[ERR_TEXT_SIZE];

	if (!err)
		return -EIO;
	memcpy(inner, err->text, sizeof(inner));
	va_start(arguments, format);
	(void)vsnprintf(outer, sizeof(outer), format, arguments);
	va_end(arguments);
	return err_set(err, err->code, "%s: %s", outer, inner);
}
