/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/fleet_view.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

static const char *const shares[] = {
	[FLEET_ANY] = "any",
	[FLEET_NONE] = "none",
	[FLEET_SOME] = "some",
	[FLEET_ALL] = "all",
};

static const char *const orders[] = {
	[FLEET_BY_NAME] = "name",           [FLEET_BY_MODE] = "mode",
	[FLEET_BY_NODES] = "nodes",         [FLEET_BY_ENROLLED] = "enrolled",
	[FLEET_BY_CONNECTED] = "connected",
};

/* Names are of these characters; another would be in none. */
static int read_name(struct fleet_view *view, const char *text, struct err *err)
{
	size_t n = strlen(text);

	if (n > 0 && !token_name_is_valid(text))
		return err_set(err, -EINVAL,
			       "name: expected a part of a router's name, at most %d characters "
			       "of A-Z a-z 0-9 . _ -, found '%s'",
			       TOKEN_NAME_SIZE - 1, text);
	for (size_t i = 0; i <= n; i++)
		view->name[i] = (char)tolower((unsigned char)text[i]);
	return 0;
}

static int read_mode(struct fleet_view *view, const char *text, struct err *err)
{
	if (!onboarding_mode_from_name(text, &view->mode))
		return err_set(err, -EINVAL,
			       "mode: expected disabled, psk-only, weak or strong, found '%s'",
			       text);
	view->asks_mode = true;
	return 0;
}

static int read_share(enum fleet_share *ret, const char *what, const char *text, struct err *err)
{
	for (size_t i = 0; i < N_ELEMENTS(shares); i++) {
		if (strcmp(shares[i], text) != 0)
			continue;
		*ret = (enum fleet_share)i;
		return 0;
	}
	return err_set(err, -EINVAL, "%s: expected any, none, some or all, found '%s'", what, text);
}

static int read_order(struct fleet_view *view, const char *text, struct err *err)
{
	view->descending = text[0] == '-';
	for (size_t i = 0; i < N_ELEMENTS(orders); i++) {
		if (strcmp(orders[i], text + view->descending) != 0)
			continue;
		view->order = (enum fleet_order)i;
		return 0;
	}
	return err_set(err, -EINVAL,
		       "sort: expected name, mode, nodes, enrolled or connected, with a '-' before "
		       "it for descending, found '%s'",
		       text);
}

int fleet_view_read(struct fleet_view *ret, const struct fleet_words *words, struct err *err)
{
	struct fleet_view view = {0};
	int rc = words->name ? read_name(&view, words->name, err) : 0;

	if (rc == 0 && words->mode)
		rc = read_mode(&view, words->mode, err);
	if (rc == 0 && words->enrolled)
		rc = read_share(&view.enrolled, "enrolled", words->enrolled, err);
	if (rc == 0 && words->connected)
		rc = read_share(&view.connected, "connected", words->connected, err);
	if (rc == 0 && words->sort)
		rc = read_order(&view, words->sort, err);
	if (rc == 0)
		*ret = view;
	return rc;
}

static bool is_share(enum fleet_share share, uint32_t n, uint32_t all)
{
	switch (share) {
	case FLEET_NONE:
		return n == 0;
	case FLEET_SOME:
		return n > 0 && n < all;
	case FLEET_ALL:
		return n > 0 && n >= all;
	case FLEET_ANY:
		break;
	}
	return true;
}

static bool is_wanted(const struct fleet_view *view, const struct fleet_row *row)
{
	return (!view->name[0] || strcasestr(row->name, view->name)) &&
	       (!view->asks_mode || row->mode == view->mode) &&
	       is_share(view->enrolled, row->n_enrolled, row->n_nodes) &&
	       is_share(view->connected, row->n_connected, row->n_nodes);
}

static int64_t sort_key(const struct fleet_view *view, const struct fleet_row *row)
{
	switch (view->order) {
	case FLEET_BY_MODE:
		return row->mode;
	case FLEET_BY_NODES:
		return row->n_nodes;
	case FLEET_BY_ENROLLED:
		return row->n_enrolled;
	case FLEET_BY_CONNECTED:
		return row->n_connected;
	case FLEET_BY_NAME:
		break;
	}
	return 0;
}

static int compare(const void *a, const void *b, void *view_of)
{
	const struct fleet_view *view = view_of;
	const struct fleet_row *left = a;
	const struct fleet_row *right = b;
	const int64_t left_key = sort_key(view, left);
	const int64_t right_key = sort_key(view, right);
	const int by_name = strcmp(left->name, right->name);

	if (left_key != right_key)
		return (left_key < right_key) == view->descending ? 1 : -1;
	return view->order == FLEET_BY_NAME && view->descending ? -by_name : by_name;
}

size_t fleet_view_apply(const struct fleet_view *view, struct fleet_row *rows, size_t n)
{
	struct fleet_view asked = *view;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (is_wanted(view, &rows[i]))
			rows[kept++] = rows[i];
	if (kept > 1)
		qsort_r(rows, kept, sizeof(*rows), compare, &asked);
	return kept;
}
