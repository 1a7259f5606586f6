/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "faults.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

static unsigned to_go;
static bool had_effect;

static bool fails(void)
{
	if (to_go == 0 || --to_go > 0)
		return false;
	had_effect = true;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = __wrap_malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

int __wrap_asprintf(char **ret, const char *format, ...)
{
	va_list arguments;
	int n;

	if (fails())
		return -1;
	va_start(arguments, format);
	n = vasprintf(ret, format, arguments);
	va_end(arguments);
	return n;
}

void faults_fail_allocation(unsigned n)
{
	cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = free};

	cJSON_InitHooks(&hooks);
	to_go = n;
	had_effect = false;
}

bool faults_had_effect(void)
{
	to_go = 0;
	return had_effect;
}
