/* SPDX-License-Identifier: GPL-3.0-or-later */
/* download_list_private.h - what download_list.c, which runs the downloads, and
 * download_list_orders.c, which takes an operator's orders, share; nobody else.
 */
#pragma once

#include "download/download_list.h"

struct download_list {
	struct download_home home; /* first: a download finds its list by it */
	struct download_list_options options;
	struct download *first; /* in the order of their requests */
	uv_idle_t schedule;     /* not inside a change of state */
	unsigned open;          /* downloads and handles not closed yet */
	bool closing;
	void (*closed)(void *owner);
	void *owner;
};

/* NULL = there is none of that version. */
struct download *download_list_get(const struct download_list *list, const char *version);
void download_list_append(struct download_list *list, struct download *d);
void download_list_unlink(struct download_list *list, struct download *d);
/* Let those run that may, soon: not inside a change of state. */
void download_list_schedule(struct download_list *list);
void download_list_changed(struct download *d);
