/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/status.h"

#include <stdio.h>

#include "base/hex.h"
#include "base/macros.h"
#include "integrity/policy_store.h"
#include "integrity/seal_record.h"

static const char *const directory_states[] = {
	[FSCRYPT_ABSENT] = "missing",    [FSCRYPT_PLAIN] = "plain",
	[FSCRYPT_FOREIGN] = "foreign",   [FSCRYPT_LOCKED] = "locked",
	[FSCRYPT_UNLOCKED] = "unlocked",
};

/* Returns whether it is open. */
static bool add_directory(cJSON *array, const char *path)
{
	struct fscrypt_directory found = {.state = FSCRYPT_ABSENT};
	char identifier[2 * FSCRYPT_IDENTIFIER_SIZE + 1];
	cJSON *item = cJSON_CreateObject();
	struct failure f = {0};
	int rc = fscrypt_inspect(path, &found, &f);

	(void)cJSON_AddStringToObject(item, "path", path);
	(void)cJSON_AddStringToObject(item, "state",
				      rc < 0 ? f.err.text : directory_states[found.state]);
	hex_encode(span_of(found.identifier, FSCRYPT_IDENTIFIER_SIZE), identifier);
	if (rc == 0 && (found.state == FSCRYPT_LOCKED || found.state == FSCRYPT_UNLOCKED))
		(void)cJSON_AddStringToObject(item, "key-identifier", identifier);
	else
		(void)cJSON_AddNullToObject(item, "key-identifier");
	(void)cJSON_AddItemToArray(array, item);
	return rc == 0 && found.state == FSCRYPT_UNLOCKED;
}

static void add_name(cJSON *json, const char *member, const TPM2B_NAME *name)
{
	char text[TPM_NAME_TEXT_SIZE];

	tpm_name_text(name, text);
	if (name->size > 0)
		(void)cJSON_AddStringToObject(json, member, text);
	else
		(void)cJSON_AddNullToObject(json, member);
}

static void add_handle(cJSON *json, const char *member, TPM2_HANDLE handle)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "0x%08x", handle);
	(void)cJSON_AddStringToObject(json, member, text);
}

static void add_pcrs(cJSON *json, const char *bank, uint32_t mask)
{
	cJSON *array;

	(void)cJSON_AddStringToObject(json, "pcr-bank", bank);
	array = cJSON_AddArrayToObject(json, "pcr");
	for (unsigned i = 0; i < TPM_PCR_COUNT; i++)
		if (mask & (1u << i))
			(void)cJSON_AddItemToArray(array, cJSON_CreateNumber(i));
}

static void add_record(cJSON *json, const struct config_integrity *config,
		       const struct seal_record *record)
{
	const bool sealed = record->n_directories > 0;
	char path[512];

	add_handle(json, "key-handle", sealed ? record->key_handle : config->key_handle);
	add_name(json, "key-name", &record->key_name);
	add_name(json, "ek-name", &record->ek_name);
	add_handle(json, "nv-index", config->nv_index);
	add_pcrs(json, sealed ? tpm_bank_name(record->policy.bank) : config->pcr_bank,
		 sealed ? record->policy.mask : config->pcrs);
	(void)snprintf(path, sizeof(path), "%s/" SEAL_RECORD_FILE, config->record_directory);
	if (sealed)
		(void)cJSON_AddStringToObject(json, "record", path);
	else
		(void)cJSON_AddNullToObject(json, "record");
}

/* Adds the policy by which the directories were opened, if it was a signed one. */
static void add_policy(cJSON *json, const struct config_integrity *config,
		       const struct seal_record *record)
{
	const struct policy_authority *a = &record->policy.authority;
	char digest[2 * sizeof(((TPM2B_DIGEST *)0)->buffer) + 1];
	struct policy_opened opened;
	struct jws_key key = {0};
	cJSON *policy;

	if (!a->is_set || policy_authority_key(a, &key) < 0)
		return;
	policy = cJSON_AddObjectToObject(json, "policy");
	(void)cJSON_AddStringToObject(policy, "key", key.kid);
	add_handle(policy, "policy-nv-index", a->counter);
	jws_key_release(&key);
	if (policy_opened_load(config, &opened, NULL) < 0)
		return;
	hex_encode(span_of(opened.digest.buffer, opened.digest.size), digest);
	(void)cJSON_AddStringToObject(policy, "name", opened.name);
	(void)cJSON_AddNumberToObject(policy, "generation", (double)opened.generation);
	(void)cJSON_AddNumberToObject(policy, "counter", (double)opened.count);
	(void)cJSON_AddStringToObject(policy, "policy-digest", digest);
}

static const char *state_of(const struct config_integrity *config, const struct integrity *before,
			    bool sealed, bool all_open, bool complete)
{
	if (sealed && all_open && !complete)
		return "incomplete";
	if (sealed)
		return all_open ? "unlocked" : "locked";
	if (before && before->state != INTEGRITY_UNLOCKED)
		return integrity_state_name(before->state);
	return config->enabled && config->n_directories > 0 ? "not enabled" : "off";
}

cJSON *integrity_status(const struct config_integrity *config, const struct integrity *before)
{
	struct seal_record record = {0};
	const bool sealed =
		seal_record_load(&record, config->record_directory, SEAL_RECORD_FILE, NULL) == 0;
	cJSON *directories = cJSON_CreateArray();
	cJSON *json = cJSON_CreateObject();
	bool complete = true; /* every directory of the configuration is in the record */
	bool all_open = true;

	for (size_t i = 0; sealed && i < record.n_directories; i++)
		all_open &= add_directory(directories, record.directories[i].path);
	for (size_t i = 0; i < config->n_directories; i++)
		if (!seal_record_has(&record, config->directories[i])) {
			(void)add_directory(directories, config->directories[i]);
			complete = false;
		}
	(void)cJSON_AddStringToObject(json, "state",
				      state_of(config, before, sealed, all_open, complete));
	if (!sealed && before && before->reason[0])
		(void)cJSON_AddStringToObject(json, "reason", before->reason);
	else
		(void)cJSON_AddNullToObject(json, "reason");
	(void)cJSON_AddItemToObject(json, "directories", directories);
	add_record(json, config, &record);
	add_policy(json, config, &record);
	seal_record_release(&record);
	return json;
}
