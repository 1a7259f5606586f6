/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/base64url.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "integrity/seal_record.h"

static void free_text(char **text)
{
	free(*text);
}

/* false = out of memory. Without this check a member could be missing, and the text would be
 * taken for another record. */

static bool add_text(cJSON *json, const char *member, const char *text)
{
	return text && cJSON_AddStringToObject(json, member, text);
}

static bool add_hex(cJSON *json, const char *member, const uint8_t *bytes, size_t size)
{
	char text[2 * SRK_SIZE_MAX + 1];

	hex_encode(span_of(bytes, size), text);
	return add_text(json, member, text);
}

static bool add_base64(cJSON *json, const char *member, const uint8_t *bytes, size_t size)
{
	_cleanup_(free_text) char *text = base64_encode(span_of(bytes, size));

	return add_text(json, member, text);
}

static bool add_name(cJSON *json, const char *member, const TPM2B_NAME *name)
{
	return add_hex(json, member, name->name, name->size);
}

/* NULL = out of memory. */
static cJSON *add_object(cJSON *array)
{
	cJSON *item = cJSON_CreateObject();

	if (cJSON_AddItemToArray(array, item))
		return item;
	cJSON_Delete(item);
	return NULL;
}

static bool add_keys(cJSON *json, const struct seal_record *r)
{
	char handle[16];

	(void)snprintf(handle, sizeof(handle), "0x%08x", r->key_handle);
	return add_text(json, "key-handle", handle) && add_name(json, "key-name", &r->key_name) &&
	       (r->previous_key_name.size == 0 ||
		add_name(json, "previous-key-name", &r->previous_key_name)) &&
	       add_name(json, "ek-name", &r->ek_name) &&
	       add_base64(json, "srk", r->srk, r->srk_size);
}

static bool add_pcrs(cJSON *json, const struct pcr_policy *policy)
{
	bool good = add_text(json, "pcr-bank", tpm_bank_name(policy->bank));
	cJSON *array = cJSON_AddArrayToObject(json, "pcr");

	for (unsigned i = 0; good && i < TPM_PCR_COUNT; i++) {
		const TPM2B_DIGEST *value = &policy->values.values[i];
		cJSON *item;

		if (!(policy->mask & (1u << i)))
			continue;
		item = add_object(array);
		good = cJSON_AddNumberToObject(item, "index", i) &&
		       add_hex(item, "value", value->buffer, value->size);
	}
	return good && array;
}

static bool add_authority(cJSON *json, const struct policy_authority *a)
{
	char index[16];

	if (!a->is_set)
		return true;
	(void)snprintf(index, sizeof(index), "0x%08x", a->counter);
	return add_base64(json, "policy-key", a->modulus, POLICY_KEY_SIZE) &&
	       add_text(json, "policy-nv-index", index);
}

static bool add_lock(cJSON *json, const struct nv_condition *lock)
{
	char index[16];

	if (!lock->index)
		return true;
	(void)snprintf(index, sizeof(index), "0x%08x", lock->index);
	return add_text(json, "seal-nv-index", index) &&
	       cJSON_AddNumberToObject(json, "seal-count", (double)lock->value);
}

/* The lowest version that has all members of this record, so that older releases can read it. */
static int version_of(const struct seal_record *r)
{
	return r->policy.authority.is_set || r->policy.lock.index ? 2 : 1;
}

static bool add_directories(cJSON *json, const struct seal_record *r)
{
	bool good = r->pin_number == 0 || cJSON_AddNumberToObject(json, "pin", r->pin_number);
	cJSON *array = cJSON_AddArrayToObject(json, "directory");

	good = good && array;

	for (size_t i = 0; good && i < r->n_directories; i++) {
		const struct seal_directory *directory = &r->directories[i];
		cJSON *item = add_object(array);

		good = add_text(item, "path", directory->path) &&
		       add_hex(item, "key-identifier", directory->identifier,
			       FSCRYPT_IDENTIFIER_SIZE) &&
		       (!directory->keeps || add_text(item, "contents", "hmac"));
	}
	return good;
}

/* NULL = out of memory. */
static char *print(const struct seal_record *r, bool with_wrapped_fek)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();
	bool good = cJSON_AddNumberToObject(json, "version", version_of(r));

	if (with_wrapped_fek)
		good = good && add_base64(json, "wrapped-fek", r->wrapped_fek, WRAPPED_SIZE);
	good = good && add_keys(json, r) && add_pcrs(json, &r->policy) &&
	       add_authority(json, &r->policy.authority) && add_lock(json, &r->policy.lock) &&
	       add_directories(json, r);
	return good ? cJSON_PrintUnformatted(json) : NULL;
}

char *seal_record_print(const struct seal_record *r)
{
	_cleanup_(free_text) char *text = print(r, true);
	char *line = NULL;

	if (!text || asprintf(&line, "%s\n", text) < 0)
		return NULL;
	return line;
}

int seal_record_label(const struct seal_record *r, char ret[SEAL_RECORD_LABEL_SIZE])
{
	_cleanup_(free_text) char *text = print(r, false);
	_cleanup_(free_text) char *label = NULL;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size;

	if (!text || EVP_Digest(text, strlen(text), digest, &size, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	label = base64url_encode(span_of(digest, size));
	if (!label)
		return -ENOMEM;
	assert(strlen(label) + 1 == SEAL_RECORD_LABEL_SIZE);
	memcpy(ret, label, SEAL_RECORD_LABEL_SIZE);
	return 0;
}
