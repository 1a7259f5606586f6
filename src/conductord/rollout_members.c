/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/rollout_members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/macros.h"
#include "conductor/registry/registry_labels.h"
#include "conductor/registry/registry_router_row.h"
#include "conductor/registry/registry_routers.h"
#include "conductor/rollout/rollout_draw.h"

#define CHUNK      5000
#define LABELS_MAX 8

struct selected {
	registry_member_name name;
	registry_member_name value; /* of the label by which they are spread */
};

struct selection {
	struct registry *registry;
	const char *spread;
	struct registry_label wanted[LABELS_MAX];
	size_t n_wanted;
	struct selected *rows;
	size_t n;
	size_t room;
};

static void release(struct selection *s)
{
	free(s->rows);
}

static int add(struct selection *s, const char *router, const struct registry_label *labels,
	       size_t n_labels, struct err *err)
{
	struct selected *row;

	if (s->n == REGISTRY_ROLLOUT_MEMBERS_MAX)
		return err_set(err, -EINVAL, "more than %d routers", REGISTRY_ROLLOUT_MEMBERS_MAX);
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 1024;
		struct selected *more = realloc(s->rows, room * sizeof(*more));

		if (!more)
			return err_set(err, -ENOMEM, "out of memory");
		s->rows = more;
		s->room = room;
	}
	row = &s->rows[s->n++];
	(void)snprintf(row->name, sizeof(row->name), "%s", router);
	row->value[0] = '\0';
	for (size_t i = 0; i < n_labels; i++)
		if (strcmp(labels[i].name, s->spread) == 0)
			memcpy(row->value, labels[i].value, sizeof(row->value));
	return 0;
}

/* Those of a chunk, which is ordered by name as its labels are. */
static int add_chunk(struct selection *s, const struct registry_router *routers, size_t n,
		     struct err *err)
{
	_cleanup_(registry_rows_free) struct registry_label *labels = NULL;
	size_t n_labels = 0;
	size_t at = 0;
	int rc = registry_labels_between(s->registry, routers[0].name, routers[n - 1].name, &labels,
					 &n_labels, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		size_t first;

		while (at < n_labels && strcmp(labels[at].router, routers[i].name) < 0)
			at++;
		first = at;
		while (at < n_labels && strcmp(labels[at].router, routers[i].name) == 0)
			at++;
		if (routers[i].n_enrolled > 0 && labels &&
		    registry_labels_hold(s->wanted, s->n_wanted, labels + first, at - first))
			rc = add(s, routers[i].name, labels + first, at - first, err);
		else if (routers[i].n_enrolled > 0 && !labels && s->n_wanted == 0)
			rc = add(s, routers[i].name, NULL, 0, err);
	}
	return rc;
}

static int select_all(struct selection *s, struct err *err)
{
	char after[TOKEN_NAME_SIZE] = "";
	size_t n = 1;
	int rc = 0;

	while (rc == 0 && n > 0) {
		_cleanup_(registry_rows_free) struct registry_router *routers = NULL;

		n = 0;
		rc = registry_routers_page(s->registry, after, CHUNK, &routers, &n, err);
		if (rc < 0 || !routers || n == 0)
			return rc;
		(void)snprintf(after, sizeof(after), "%s", routers[n - 1].name);
		rc = add_chunk(s, routers, n, err);
	}
	return rc;
}

static int select_one(struct selection *s, const char *name, struct err *err)
{
	struct registry_router router = {.name = ""};
	int rc;

	if (!name)
		return err_set(err, -EINVAL, "routers: expected names");
	rc = registry_check_name("router", name, err);

	for (size_t i = 0; rc == 0 && i < s->n; i++)
		if (strcmp(s->rows[i].name, name) == 0)
			return err_set(err, -EINVAL, "router %s is named twice", name);
	if (rc == 0)
		rc = registry_router_find(s->registry, name, &router, err);
	if (rc == 0 && router.n_enrolled == 0)
		rc = err_set(err, -EINVAL, "router %s has no node that is enrolled", name);
	return rc < 0 ? rc : add_chunk(s, &router, 1, err);
}

static int select_named(struct selection *s, const cJSON *names, char *text, size_t size,
			struct err *err)
{
	size_t used = (size_t)snprintf(text, size, "router");
	const cJSON *name;
	int rc = 0;

	if (!cJSON_IsArray(names))
		return err_set(err, -EINVAL, "routers: expected an array of names");
	cJSON_ArrayForEach (name, names) {
		rc = select_one(s, cJSON_GetStringValue(name), err);
		if (rc < 0)
			return rc;
		if (used + TOKEN_NAME_SIZE + 5 < size)
			used += (size_t)snprintf(text + used, size - used, " %s",
						 name->valuestring);
		else if (strcmp(text + used - 3, "...") != 0)
			used += (size_t)snprintf(text + used, size - used, " ...");
	}
	return rc;
}

static int select_labelled(struct selection *s, const cJSON *labels, char *text, size_t size,
			   struct err *err)
{
	size_t used = 0;
	const cJSON *item;

	if (!cJSON_IsObject(labels) || !labels->child)
		return err_set(err, -EINVAL, "labels: expected an object of names and values");
	cJSON_ArrayForEach (item, labels) {
		struct registry_label *label = &s->wanted[s->n_wanted];
		const char *value = cJSON_GetStringValue(item);
		int rc;

		if (s->n_wanted == LABELS_MAX)
			return err_set(err, -EINVAL, "labels: more than %d of them", LABELS_MAX);
		rc = registry_check_name("label", item->string, err);
		if (rc == 0)
			rc = registry_check_name("value of a label", value ? value : "", err);
		if (rc < 0)
			return rc;
		(void)snprintf(label->name, sizeof(label->name), "%s", item->string);
		(void)snprintf(label->value, sizeof(label->value), "%s", value);
		s->n_wanted++;
		used += (size_t)snprintf(text + used, size - used, "%slabel %s %s", used ? " " : "",
					 label->name, label->value);
	}
	return select_all(s, err);
}

static int select_by(struct selection *s, const cJSON *selector, char *text, size_t size,
		     struct err *err)
{
	const cJSON *item = cJSON_IsObject(selector) ? selector->child : NULL;

	if (item && !item->next && strcmp(item->string, "all") == 0 && cJSON_IsTrue(item)) {
		(void)snprintf(text, size, "all");
		return select_all(s, err);
	}
	if (item && !item->next && strcmp(item->string, "routers") == 0)
		return select_named(s, item, text, size, err);
	if (item && !item->next && strcmp(item->string, "labels") == 0)
		return select_labelled(s, item, text, size, err);
	return err_set(err, -EINVAL,
		       "selector: expected one of {\"all\": true}, {\"routers\": [...]} and "
		       "{\"labels\": {...}}");
}

static int draw(const struct selection *s, const char *rollout, registry_member_name **ret,
		struct err *err)
{
	struct rollout_candidate *candidates = calloc(s->n, sizeof(*candidates));
	registry_member_name *names = calloc(s->n, sizeof(*names));

	if (!candidates || !names) {
		free(candidates);
		free(names);
		return err_set(err, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < s->n; i++)
		candidates[i] = (struct rollout_candidate){
			.name = s->rows[i].name,
			.value = s->rows[i].value,
		};
	rollout_draw(candidates, s->n, rollout);
	for (size_t i = 0; i < s->n; i++)
		(void)snprintf(names[i], sizeof(names[i]), "%s", candidates[i].name);
	free(candidates);
	*ret = names;
	return 0;
}

int rollout_members_select(struct registry *r, const cJSON *selector, const char *spread,
			   const char *rollout, registry_member_name **ret, uint32_t *ret_n,
			   char ret_text[REGISTRY_ROLLOUT_TEXT_SIZE], struct err *err)
{
	_cleanup_(release) struct selection s = {.registry = r, .spread = spread};
	char text[REGISTRY_ROLLOUT_TEXT_SIZE] = "";
	int rc = select_by(&s, selector, text, sizeof(text), err);

	if (rc == 0 && s.n == 0)
		rc = err_set(err, -ENOENT, "no router that is enrolled is meant by: %s", text);
	if (rc == 0)
		rc = draw(&s, rollout, ret, err);
	if (rc < 0)
		return rc;
	*ret_n = (uint32_t)s.n;
	memcpy(ret_text, text, sizeof(text));
	return 0;
}
