/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.json of a download, or a router's answer: whatever is accepted can go on, be written
 * again, and be drawn. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "download/history_json.h"
#include "stewardctl/plot_svg.h"
#include "stewardctl/plot_text.h"

static void draw(const struct history *h)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	plot_text(h, 80, true, out);
	plot_svg(h, "V1", out);
	(void)fclose(out);
	HOLDS(!memchr(text, '\033', size));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct history h;
	struct err err;

	history_init(&h);
	if (history_parse(&h, span_of(bytes, size), &err) < 0) {
		HOLDS(h.n_points == 0 && h.n_marks == 0);
		return 0;
	}
	draw(&h);
	history_begin_point(&h, 1767225600);
	history_count(&h, "one more", 1, 1);
	history_mark(&h, 1767225600, HISTORY_COMPLETE, NULL, NULL);
	HOLDS(h.n_points > 0 && h.n_points <= HISTORY_POINTS_MAX && h.n_marks <= HISTORY_MARKS_MAX);
	draw(&h);
	cJSON_Delete(history_to_json(&h));
	history_release(&h);
	return 0;
}
