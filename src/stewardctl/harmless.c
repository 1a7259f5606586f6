/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/harmless.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"

#define PRINTABLE_MAX 4 /* bytes that one escaped byte takes */

static char *make_text(const char *text)
{
	const size_t size = PRINTABLE_MAX * strlen(text) + 1;
	char *harmless = malloc(size);

	if (harmless)
		printable_copy(text, harmless, size);
	return harmless;
}

/* cJSON frees with free(), as we allocate. Out of memory: nothing of it is shown. */
static void replace(char **text)
{
	char *harmless = *text ? make_text(*text) : NULL;

	if (*text && !harmless)
		(*text)[0] = '\0';
	if (!harmless)
		return;
	free(*text);
	*text = harmless;
}

void harmless_make(cJSON *json)
{
	for (; json; json = json->next) {
		replace(&json->valuestring);
		replace(&json->string);
		harmless_make(json->child);
	}
}

cJSON *harmless_parse(const char *text)
{
	cJSON *json = text ? cJSON_Parse(text) : NULL;

	harmless_make(json);
	return json;
}

static void say_escaped(unsigned long character)
{
	if (character >= 0x10000) {
		character -= 0x10000;
		(void)printf("\\u%04lx\\u%04lx", 0xd800 + (character >> 10),
			     0xdc00 + (character & 0x3ff));
	} else {
		(void)printf("\\u%04lx", character);
	}
}

void harmless_complain(const struct err *err)
{
	char text[ERR_TEXT_SIZE];

	printable_copy(err->text, text, sizeof(text));
	(void)fprintf(stderr, "stewardctl: %s\n", text);
}

void harmless_write_json(const char *text)
{
	while (*text) {
		unsigned long character;
		size_t length = printable_next(text, &character);

		if (length > 0 && printable_is_shown(character))
			(void)fwrite(text, 1, length, stdout);
		else if (character == '\n' || character == '\t')
			(void)putchar((int)character); /* as JSON allows it between its values */
		else
			say_escaped(length > 0 ? character : 0xfffd);
		text += MAX(length, 1);
	}
}

void harmless_say_json(const char *text)
{
	harmless_write_json(text);
	(void)putchar('\n');
}
