/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config/config_secrets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define SHOWN       "set"
#define SHOWN_QUERY "..."

static const char *const leaves[] = {"password", "bearer-token", "s3-access-key", "s3-secret-key",
				     "proxy-password"};

bool config_is_secret(const char *leaf)
{
	for (size_t i = 0; i < N_ELEMENTS(leaves); i++)
		if (strcmp(leaves[i], leaf) == 0)
			return true;
	return false;
}

/* A place where there is a secret. Its value is text[begin] and what follows. */
struct place {
	cJSON *item;
	char *path;
	size_t begin;
	bool is_shown; /* what stands there is what is shown of it */
};

typedef int (*visit_cb)(void *owner, const struct place *place, struct err *err);

static int visit_place(struct place *place, const char *shown, visit_cb visit, void *owner,
		       struct err *err)
{
	int rc;

	if (!place->path)
		return err_set(err, -ENOMEM, "out of memory");
	place->is_shown = strcmp(place->item->valuestring + place->begin, shown) == 0;
	rc = visit(owner, place, err);
	free(place->path);
	return rc;
}

static int visit_value(const char *source, cJSON *item, visit_cb visit, void *owner,
		       struct err *err)
{
	struct place place = {.item = item};

	if (!cJSON_IsString(item))
		return 0;
	if (asprintf(&place.path, "software-update/source/%s/%s", source, item->string) < 0)
		place.path = NULL;
	return visit_place(&place, SHOWN, visit, owner, err);
}

static int visit_url(const char *source, cJSON *item, visit_cb visit, void *owner, struct err *err)
{
	const char *url = cJSON_GetStringValue(item);
	const char *question = url ? strchr(url, '?') : NULL;
	struct place place = {.item = item};

	if (!question || !question[1])
		return 0;
	place.begin = (size_t)(question - url) + 1;
	if (asprintf(&place.path, "software-update/source/%s/url/%.*s", source,
		     (int)(question - url), url) < 0)
		place.path = NULL;
	return visit_place(&place, SHOWN_QUERY, visit, owner, err);
}

static int visit_source(cJSON *source, visit_cb visit, void *owner, struct err *err)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(source, "name"));
	cJSON *mirror;
	int rc = 0;

	if (!name) /* and so is none */
		return 0;
	for (size_t i = 0; rc == 0 && i < N_ELEMENTS(leaves); i++)
		rc = visit_value(name, cJSON_GetObjectItemCaseSensitive(source, leaves[i]), visit,
				 owner, err);
	if (rc == 0)
		rc = visit_url(name, cJSON_GetObjectItemCaseSensitive(source, "url"), visit, owner,
			       err);
	cJSON_ArrayForEach (mirror, cJSON_GetObjectItemCaseSensitive(source, "mirror"))
		rc = rc < 0 ? rc : visit_url(name, mirror, visit, owner, err);
	return rc;
}

static int visit_all(cJSON *configuration, visit_cb visit, void *owner, struct err *err)
{
	cJSON *update = cJSON_GetObjectItemCaseSensitive(configuration, "software-update");
	cJSON *source;
	int rc = 0;

	cJSON_ArrayForEach (source, cJSON_GetObjectItemCaseSensitive(update, "source"))
		rc = rc < 0 ? rc : visit_source(source, visit, owner, err);
	return rc;
}

/* In place of what it has, which is wiped. */
static int set_text(const struct place *place, const char *value)
{
	const char *old = place->item->valuestring;
	cJSON *item = place->item;
	char *text;

	if (asprintf(&text, "%.*s%s", (int)place->begin, old, value) < 0)
		return -ENOMEM;
	explicit_bzero(item->valuestring, strlen(item->valuestring));
	cJSON_free(item->valuestring);
	item->valuestring = text;
	return 0;
}

static int hide(void *owner, const struct place *place, struct err *err)
{
	(void)owner;
	if (!place->is_shown && set_text(place, place->begin > 0 ? SHOWN_QUERY : SHOWN) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int config_secrets_hide(cJSON *configuration, struct err *err)
{
	return visit_all(configuration, hide, NULL, err);
}

static bool is_there(const struct config_secrets *secrets, const char *path)
{
	for (size_t i = 0; i < secrets->n; i++)
		if (strcmp(secrets->list[i].path, path) == 0)
			return true;
	return false;
}

static int add(struct config_secrets *secrets, const struct place *place)
{
	struct config_secret *list =
		realloc(secrets->list, (secrets->n + 1) * sizeof(*secrets->list));
	struct config_secret *added;

	if (!list)
		return -ENOMEM;
	secrets->list = list;
	added = &list[secrets->n];
	*added = (struct config_secret){.path = strdup(place->path)};
	if (!place->is_shown)
		added->value = strdup(place->item->valuestring + place->begin);
	secrets->n++;
	return added->path && (place->is_shown || added->value) ? 0 : -ENOMEM;
}

static int take_out(void *owner, const struct place *place, struct err *err)
{
	struct config_secrets *secrets = owner;

	if (is_there(secrets, place->path))
		return err_set(err, -EINVAL,
			       "%s: two URLs of one source that differ in their query alone",
			       place->path);
	if (add(secrets, place) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return hide(NULL, place, err);
}

int config_secrets_take_out(cJSON *configuration, struct config_secrets *ret, struct err *err)
{
	struct config_secrets taken = {0};
	int rc = visit_all(configuration, take_out, &taken, err);

	if (rc < 0)
		config_secrets_release(&taken);
	else
		*ret = taken;
	return rc;
}

struct put {
	config_secret_find_cb find;
	void *owner;
};

static int put_in(void *owner, const struct place *place, struct err *err)
{
	const struct put *put = owner;
	const char *value = place->is_shown ? put->find(put->owner, place->path) : NULL;

	if (value && set_text(place, value) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int config_secrets_put_in(cJSON *configuration, config_secret_find_cb find, void *owner,
			  struct err *err)
{
	struct put put = {.find = find, .owner = owner};

	return visit_all(configuration, put_in, &put, err);
}

void config_secrets_release(struct config_secrets *secrets)
{
	for (size_t i = 0; i < secrets->n; i++) {
		struct config_secret *secret = &secrets->list[i];

		if (secret->value)
			explicit_bzero(secret->value, strlen(secret->value));
		free(secret->value);
		free(secret->path);
	}
	free(secrets->list);
	*secrets = (struct config_secrets){0};
}
