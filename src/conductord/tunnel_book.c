/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/tunnel_book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tunnel_book_line {
	struct tunnel_book_line *next;
	uint32_t id;
	enum ssh_kex kex;
	char fingerprint[AUTHORIZED_KEY_FINGERPRINT_SIZE];
};

static void remove_at(struct tunnel_book_line **at)
{
	struct tunnel_book_line *line = *at;

	*at = line->next;
	free(line);
}

void tunnel_book_add(struct tunnel_book *book, uint32_t id, const char *fingerprint,
		     enum ssh_kex kex)
{
	struct tunnel_book_line **at = &book->first;
	struct tunnel_book_line *line;

	while (*at && strcmp((*at)->fingerprint, fingerprint) != 0)
		at = &(*at)->next;
	if (*at)
		remove_at(at);
	line = calloc(1, sizeof(*line));
	if (!line)
		return;
	line->id = id;
	line->kex = kex;
	(void)snprintf(line->fingerprint, sizeof(line->fingerprint), "%s", fingerprint);
	line->next = book->first;
	book->first = line;
}

void tunnel_book_remove(struct tunnel_book *book, uint32_t id)
{
	struct tunnel_book_line **at = &book->first;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	if (*at)
		remove_at(at);
}

void tunnel_book_clear(struct tunnel_book *book)
{
	while (book->first)
		remove_at(&book->first);
}

const char *tunnel_book_find(const struct tunnel_book *book, const char *fingerprint)
{
	for (const struct tunnel_book_line *line = book->first; line; line = line->next)
		if (strcmp(line->fingerprint, fingerprint) == 0)
			return line->kex == SSH_KEX_NONE ? "unknown" : ssh_kex_name(line->kex);
	return NULL;
}
