/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/source_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int copy(const char **ret, const char *text)
{
	if (!text)
		return 0;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static void release_string(const char *text)
{
	char *owned;

	memcpy(&owned, &text, sizeof(owned)); /* http_access borrows, this list owns */
	free(owned);
}

static void release_secret(const char *text)
{
	char *owned;

	memcpy(&owned, &text, sizeof(owned));
	if (owned)
		explicit_bzero(owned, strlen(owned));
	free(owned);
}

static void place_release(struct source_place *place)
{
	free(place->name);
	free(place->url);
	free(place->query);
	release_string(place->access.ca_certificate);
	release_string(place->access.client_certificate);
	release_string(place->access.client_key);
	release_string(place->access.username);
	release_string(place->access.password_file);
	release_secret(place->access.password);
	release_string(place->access.bearer_token_file);
	release_secret(place->access.bearer_token);
	release_string(place->access.s3_region);
	release_string(place->access.s3_access_key_file);
	release_secret(place->access.s3_access_key);
	release_string(place->access.s3_secret_key_file);
	release_secret(place->access.s3_secret_key);
	release_string(place->access.proxy);
	release_string(place->access.proxy_username);
	release_string(place->access.proxy_password_file);
	release_secret(place->access.proxy_password);
	memset(place, 0, sizeof(*place));
}

static int copy_access(struct http_access *ret, const struct config_source *source)
{
	int rc = copy(&ret->ca_certificate, source->ca_certificate);

	rc = rc < 0 ? rc : copy(&ret->client_certificate, source->client_certificate);
	rc = rc < 0 ? rc : copy(&ret->client_key, source->client_key);
	rc = rc < 0 ? rc : copy(&ret->username, source->username);
	rc = rc < 0 ? rc : copy(&ret->password_file, source->password_file);
	rc = rc < 0 ? rc : copy(&ret->password, source->password);
	rc = rc < 0 ? rc : copy(&ret->bearer_token_file, source->bearer_token_file);
	rc = rc < 0 ? rc : copy(&ret->bearer_token, source->bearer_token);
	rc = rc < 0 ? rc : copy(&ret->s3_region, source->s3_region);
	rc = rc < 0 ? rc : copy(&ret->s3_access_key_file, source->s3_access_key_file);
	rc = rc < 0 ? rc : copy(&ret->s3_access_key, source->s3_access_key);
	rc = rc < 0 ? rc : copy(&ret->s3_secret_key_file, source->s3_secret_key_file);
	rc = rc < 0 ? rc : copy(&ret->s3_secret_key, source->s3_secret_key);
	rc = rc < 0 ? rc : copy(&ret->proxy, source->proxy);
	rc = rc < 0 ? rc : copy(&ret->proxy_username, source->proxy_username);
	rc = rc < 0 ? rc : copy(&ret->proxy_password_file, source->proxy_password_file);
	return rc < 0 ? rc : copy(&ret->proxy_password, source->proxy_password);
}

/* number: 1 = the source itself; a mirror's name is one that no source can have. */
static char *name_of(const struct config_source *source, size_t number)
{
	char *name = NULL;

	if (number == 1)
		return strdup(source->name);
	return asprintf(&name, "%s/%zu", source->name, number) < 0 ? NULL : name;
}

static int add_place(struct source_list *list, const struct config_source *source, size_t number,
		     const struct config *config, struct err *err)
{
	const struct config_software_update *update = &config->software_update;
	const char *url = number == 1 ? source->url : source->mirrors[number - 2].url;
	const char *query = number == 1 ? source->query : source->mirrors[number - 2].query;
	struct source_place *place;
	int rc;

	if (list->n == SOURCES_MAX)
		return err_set(err, -E2BIG, "more than %d sources are configured", SOURCES_MAX);
	place = &list->places[list->n++];
	place->kind = source->kind;
	place->access.connect_timeout_s = update->download.connect_timeout_s;
	place->concurrency = source->concurrency;
	place->only_imported =
		source_offers_only_imported(config->role, update->access_mode, source->kind);
	place->name = name_of(source, number);
	place->url = strdup(url);
	rc = copy_access(&place->access, source);
	place->query = query ? strdup(query) : NULL;
	if (!place->name || !place->url || (query && !place->query) || rc < 0)
		return err_set(err, -ENOMEM, "sources: out of memory");
	return 0;
}

static int add(struct source_list *list, const struct config_source *source,
	       const struct config *config, struct err *err)
{
	int rc = 0;

	for (size_t number = 1; number <= 1 + source->n_mirrors && rc == 0; number++)
		rc = add_place(list, source, number, config, err);
	return rc;
}

static int add_peer(struct source_list *list, const struct config *config, struct err *err)
{
	char name[] = "ha-peer";
	struct config_source peer = {
		.name = name,
		.kind = SOURCE_HA_PEER,
		.url = config->high_availability.peer_url,
	};

	if (!peer.url)
		return 0;
	return add(list, &peer, config, err);
}

static int add_kind(struct source_list *list, const struct config *config, enum source_kind kind,
		    struct err *err)
{
	const struct config_software_update *update = &config->software_update;
	int rc = 0;

	if (!source_kind_is_used(config->role, update->access_mode, kind))
		return 0;
	for (size_t i = 0; i < update->n_sources && rc == 0; i++)
		if (update->sources[i].kind == kind)
			rc = add(list, &update->sources[i], config, err);
	return rc;
}

int source_list_make(struct source_list *ret, const struct config *config, struct err *err)
{
	struct source_list list = {0};
	int rc = add_peer(&list, config, err);

	for (int kind = SOURCE_CONDUCTOR; kind < N_SOURCE_KINDS && rc == 0; kind++)
		rc = add_kind(&list, config, (enum source_kind)kind, err);
	if (rc < 0) {
		source_list_release(&list);
		return rc;
	}
	*ret = list;
	return 0;
}

void source_list_release(struct source_list *list)
{
	while (list->n > 0)
		place_release(&list->places[--list->n]);
}

const struct source_place *source_list_forbidden(const struct source_list *list,
						 const struct config *config)
{
	const enum access_mode mode = config->software_update.access_mode;

	for (unsigned i = 0; i < list->n; i++) {
		const struct source_place *place = &list->places[i];

		if (!source_kind_is_used(config->role, mode, place->kind) ||
		    (source_offers_only_imported(config->role, mode, place->kind) &&
		     !place->only_imported))
			return place;
	}
	return NULL;
}

void source_list_specs(const struct source_list *list, struct engine_source_spec *ret)
{
	for (unsigned i = 0; i < list->n; i++)
		ret[i] = (struct engine_source_spec){
			.name = list->places[i].name,
			.kind = list->places[i].kind,
			.concurrency = list->places[i].concurrency,
		};
}

/* Names are of a harmless alphabet, but '+' is a space to some servers. */
static void append_encoded(char *url, const char *name)
{
	char *at = url + strlen(url);

	for (; *name; name++) {
		if (*name == '+')
			at += sprintf(at, "%%2B");
		else
			*at++ = *name;
	}
	*at = '\0';
}

char *source_url(const struct source_place *place, const char *version, const char *file)
{
	const char *query = place->query ? place->query : "";
	size_t size = strlen(place->url) + 3 * (strlen(version ? version : "") + strlen(file)) +
		      strlen(query) + 2;
	char *url = malloc(size);

	if (!url)
		return NULL;
	(void)snprintf(url, size, "%s", place->url);
	if (version) {
		append_encoded(url, version);
		strcat(url, "/");
	}
	append_encoded(url, file);
	strcat(url, query);
	return url;
}
