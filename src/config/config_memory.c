/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_memory.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct config_block {
	struct config_block *next;
	alignas(max_align_t) unsigned char bytes[];
};

void *config_take(struct config *config, size_t size)
{
	struct config_block *block = calloc(1, sizeof(*block) + size);

	if (!block)
		return NULL;
	block->next = config->blocks;
	config->blocks = block;
	return block->bytes;
}

char *config_take_text(struct config *config, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = config_take(config, size);

	return copy ? memcpy(copy, text, size) : NULL;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	while (config->blocks) {
		struct config_block *block = config->blocks;

		config->blocks = block->next;
		free(block);
	}
	free(config);
}

void config_freep(struct config **config)
{
	config_free(*config);
}
