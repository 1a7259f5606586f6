/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/config_ahead.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic_file.h"
#include "base/json.h"
#include "base/macros.h"
#include "config/config.h"
#include "config/config_memory.h"

#define SIZE_MAX_BYTES (64u << 10)
#define PCR_MAX        23

enum kind { TEXT, HANDLE, BOOLEAN };

/* All leaves of configuration-integrity but for its two lists: one that is missing here would not
 * be compared. */
static const struct leaf {
	const char *name;
	enum kind kind;
	size_t at;
	const char *by_default; /* NULL = none */
} leaves[] = {
	{"enabled", BOOLEAN, offsetof(struct config_integrity, enabled), "true"},
	{"required", BOOLEAN, offsetof(struct config_integrity, required), "false"},
	{"tcti", TEXT, offsetof(struct config_integrity, tcti), "device:/dev/tpmrm0"},
	{"key-handle", HANDLE, offsetof(struct config_integrity, key_handle), "0x81010128"},
	{"nv-index", HANDLE, offsetof(struct config_integrity, nv_index), "0x01800128"},
	{"record-directory", TEXT, offsetof(struct config_integrity, record_directory),
	 "/etc/steward/integrity"},
	{"pcr-bank", TEXT, offsetof(struct config_integrity, pcr_bank), "sha256"},
	{"seal-after-boot", BOOLEAN, offsetof(struct config_integrity, seal_after_boot), "false"},
	{"seal-nv-index", HANDLE, offsetof(struct config_integrity, seal_nv_index), "0x0180012a"},
	{"recovery-key", TEXT, offsetof(struct config_integrity, recovery_key), NULL},
	{"policy-key", TEXT, offsetof(struct config_integrity, policy_key), NULL},
	{"policy-nv-index", HANDLE, offsetof(struct config_integrity, policy_nv_index),
	 "0x01800129"},
	{"policy-directory", TEXT, offsetof(struct config_integrity, policy_directory),
	 "/usr/lib/steward/policies"},
};

static void free_bytes(char **bytes)
{
	free(*bytes);
}

static char **text_at(struct config_integrity *c, const struct leaf *leaf)
{
	return (char **)(void *)((char *)c + leaf->at);
}

static uint32_t *handle_at(struct config_integrity *c, const struct leaf *leaf)
{
	return (uint32_t *)(void *)((char *)c + leaf->at);
}

static bool *boolean_at(struct config_integrity *c, const struct leaf *leaf)
{
	return (bool *)((char *)c + leaf->at);
}

static int copy_text(struct config *config, const char *text, char **ret)
{
	*ret = config_take_text(config, text);
	return *ret ? 0 : -ENOMEM;
}

static int take_default(struct config *config, const struct leaf *leaf)
{
	struct config_integrity *c = &config->integrity;

	switch (leaf->kind) {
	case BOOLEAN:
		*boolean_at(c, leaf) = strcmp(leaf->by_default, "true") == 0;
		return 0;
	case HANDLE:
		*handle_at(c, leaf) = (uint32_t)strtoul(leaf->by_default, NULL, 16);
		return 0;
	default:
		return leaf->by_default ? copy_text(config, leaf->by_default, text_at(c, leaf)) : 0;
	}
}

static int take_value(struct config *config, const struct leaf *leaf, const cJSON *value)
{
	struct config_integrity *c = &config->integrity;

	if (leaf->kind == BOOLEAN) {
		*boolean_at(c, leaf) = cJSON_IsTrue(value);
		return cJSON_IsBool(value) ? 0 : -EBADMSG;
	}
	if (!cJSON_IsString(value))
		return -EBADMSG;
	if (leaf->kind == TEXT)
		return copy_text(config, value->valuestring, text_at(c, leaf));
	*handle_at(c, leaf) = (uint32_t)strtoul(value->valuestring, NULL, 16);
	return 0;
}

static int take_directories(struct config *config, const cJSON *list)
{
	struct config_integrity *c = &config->integrity;
	const cJSON *item;

	c->directories =
		config_take(config, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof(char *));
	if (!c->directories)
		return -ENOMEM;
	cJSON_ArrayForEach (item, list) {
		if (!cJSON_IsString(item))
			return -EBADMSG;
		if (copy_text(config, item->valuestring, &c->directories[c->n_directories]) < 0)
			return -ENOMEM;
		c->n_directories++;
	}
	return 0;
}

static int take_pcrs(struct config_integrity *c, const cJSON *list)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > PCR_MAX)
			return -EBADMSG;
		c->pcrs |= 1u << (unsigned)item->valuedouble;
	}
	return 0;
}

static int take_all(struct config *config, const cJSON *container)
{
	int rc = take_directories(config, cJSON_GetObjectItemCaseSensitive(container, "directory"));

	if (rc == 0)
		rc = take_pcrs(&config->integrity,
			       cJSON_GetObjectItemCaseSensitive(container, "pcr"));
	for (size_t i = 0; rc == 0 && i < N_ELEMENTS(leaves); i++) {
		const cJSON *value = cJSON_GetObjectItemCaseSensitive(container, leaves[i].name);

		rc = value ? take_value(config, &leaves[i], value)
			   : take_default(config, &leaves[i]);
	}
	return rc;
}

/* A router's are kept there; a conductor has none. */
static int take_secrets_directory(struct config *config, const cJSON *router)
{
	const cJSON *onboarding =
		cJSON_GetObjectItemCaseSensitive(router, "secure-conductor-onboarding");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(onboarding, "secrets-directory");

	if (value && !cJSON_IsString(value))
		return -EBADMSG;
	return copy_text(config, value ? value->valuestring : CONFIG_SECRETS_DIRECTORY,
			 &config->integrity.secrets_directory);
}

static int take_document(struct config *config, const cJSON *document)
{
	const cJSON *router = cJSON_GetObjectItemCaseSensitive(document, "steward:router");
	const cJSON *role =
		router ? router : cJSON_GetObjectItemCaseSensitive(document, "steward:conductor");
	const cJSON *container = cJSON_GetObjectItemCaseSensitive(role, "configuration-integrity");
	int rc;

	if (!cJSON_IsObject(container))
		return -ENODATA;
	rc = take_all(config, container);
	return rc == 0 && router ? take_secrets_directory(config, router) : rc;
}

int config_ahead_read(struct config **ret, const char *path)
{
	_cleanup_(free_bytes) char *text = NULL;
	_cleanup_(json_freep) cJSON *document = NULL;
	struct config *config = calloc(1, sizeof(*config));
	size_t size = 0;
	int rc = !config ? -ENOMEM : file_read(path, SIZE_MAX_BYTES, &text, &size, NULL);

	if (rc == 0)
		rc = json_parse(&document, span_of(text, size), SIZE_MAX_BYTES, NULL);
	if (rc == 0)
		rc = take_document(config, document);
	if (rc < 0) {
		config_free(config);
		return rc;
	}
	*ret = config;
	return 0;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool leaf_equal(const struct leaf *leaf, const struct config_integrity *a,
		       const struct config_integrity *b)
{
	const char *one = (const char *)a + leaf->at;
	const char *other = (const char *)b + leaf->at;

	switch (leaf->kind) {
	case BOOLEAN:
		return *(const bool *)one == *(const bool *)other;
	case HANDLE:
		return memcmp(one, other, sizeof(uint32_t)) == 0;
	default:
		return text_equal(*(char *const *)(const void *)one,
				  *(char *const *)(const void *)other);
	}
}

bool config_integrity_equal(const struct config_integrity *a, const struct config_integrity *b)
{
	if (a->n_directories != b->n_directories || a->pcrs != b->pcrs ||
	    !text_equal(a->secrets_directory, b->secrets_directory))
		return false;
	for (size_t i = 0; i < a->n_directories; i++)
		if (strcmp(a->directories[i], b->directories[i]) != 0)
			return false;
	for (size_t i = 0; i < N_ELEMENTS(leaves); i++)
		if (!leaf_equal(&leaves[i], a, b))
			return false;
	return true;
}
