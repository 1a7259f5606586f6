#include "core/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* vsnprintf cuts anywhere; a cut inside a UTF-8 sequence would make the journal refuse it. */
static void cut_at_character(char *text, size_t written)
{
	size_t end = ERR_TEXT_SIZE - 1;

	if (written < ERR_TEXT_SIZE)
		return;
	while (end > 0 && ((unsigned char)text[end - 1] & 0xc0) == 0x80)
		end--;
	if (end > 0 && (unsigned char)text[end - 1] >= 0xc0)
		end--;
	text[end] = '\0';
}

static void fill(struct err *err, int code, const char *format, va_list arguments)
{
	int written = vsnprintf(err->text, sizeof(err->text), format, arguments);

	err->code = code;
	cut_at_character(err->text, written < 0 ? 0 : (size_t)written);
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
