/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "integrity/signed_policy.h"

static void free_text(char **text)
{
	free(*text);
}

bool signed_policy_name_is_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789 ._+-";
	const size_t length = strlen(name);

	return length > 0 && length < SIGNED_POLICY_NAME_SIZE && strspn(name, letters) == length;
}

static size_t digest_size(TPM2_ALG_ID bank)
{
	switch (bank) {
	case TPM2_ALG_SHA1:
		return TPM2_SHA1_DIGEST_SIZE;
	case TPM2_ALG_SHA384:
		return TPM2_SHA384_DIGEST_SIZE;
	case TPM2_ALG_SHA512:
		return TPM2_SHA512_DIGEST_SIZE;
	default:
		return TPM2_SHA256_DIGEST_SIZE;
	}
}

static int set_pcr(struct pcr_policy *pcrs, uint64_t index, const char *hex, struct err *err)
{
	const size_t wanted = digest_size(pcrs->bank);
	TPM2B_DIGEST *value = &pcrs->values.values[index];
	size_t size = wanted;

	if (pcrs->mask & (1u << index))
		return err_set(err, -EBADMSG, "PCR %u stands there twice", (unsigned)index);
	if (hex && hex_decode(hex, wanted, wanted, value->buffer, &size) < 0)
		return err_set(err, -EBADMSG,
			       "PCR %u: expected %zu bytes as lower-case hex, the size of %s",
			       (unsigned)index, wanted, tpm_bank_name(pcrs->bank));
	value->size = (UINT16)size;
	pcrs->mask |= 1u << index;
	return 0;
}

static int read_pcr_list(const cJSON *json, struct pcr_policy *ret, struct err *err)
{
	static const char *const members[] = {"index", "value", NULL};
	const cJSON *array = NULL;
	const cJSON *item;
	const char *bank;
	int rc = json_get_string(json, "pcr-bank", 6, &bank, err);

	if (rc == 0)
		rc = json_get_array(json, "pcr", &array, err);
	if (rc < 0)
		return rc;
	ret->bank = tpm_bank(bank);
	if (ret->bank == TPM2_ALG_ERROR)
		return err_set(err, -EBADMSG, "pcr-bank: expected sha1, sha256, sha384 or sha512");
	cJSON_ArrayForEach (item, array) {
		const char *hex = NULL;
		uint64_t index = 0;

		rc = json_refuse_others(item, members, err);
		if (rc == 0)
			rc = json_get_uint(item, "index", TPM_PCR_COUNT - 1, &index, err);
		if (rc == 0)
			rc = json_get_string(item, "value", 128, &hex, err);
		if (rc == 0)
			rc = set_pcr(ret, index, hex, err);
		if (rc < 0)
			return rc;
	}
	return ret->mask ? 0 : err_set(err, -EBADMSG, "pcr: expected at least one");
}

static int read_counter(const cJSON *json, TPM2_HANDLE *ret, struct err *err)
{
	const char *text;
	uint8_t bytes[4];
	size_t size;
	int rc = json_get_string(json, "policy-nv-index", 10, &text, err);

	if (rc < 0)
		return rc;
	if (strncmp(text, "0x", 2) != 0 || hex_decode(text + 2, 4, 4, bytes, &size) < 0 ||
	    bytes[0] != TPM2_HT_NV_INDEX)
		return err_set(err, -EBADMSG, "policy-nv-index: expected an NV index");
	*ret = (TPM2_HANDLE)bytes[0] << 24 | (TPM2_HANDLE)bytes[1] << 16 |
	       (TPM2_HANDLE)bytes[2] << 8 | bytes[3];
	return 0;
}

/* Into ret, which has room for max characters and a zero. */
static int read_text(const cJSON *json, const char *member, size_t max, char *ret, struct err *err)
{
	const char *text;
	int rc = json_get_string(json, member, max, &text, err);

	if (rc == 0)
		memcpy(ret, text, strlen(text) + 1);
	return rc;
}

static int read_members(const cJSON *json, struct signed_policy *p, struct err *err)
{
	static const char *const members[] = {
		"version",  "name", "generation", "ends-older", "policy-nv-index",
		"pcr-bank", "pcr",  "key",        "signature",  NULL};
	uint64_t version;
	int rc = json_refuse_others(json, members, err);

	if (rc == 0)
		rc = json_get_uint(json, "version", SIGNED_POLICY_VERSION, &version, err);
	if (rc == 0 && version != SIGNED_POLICY_VERSION)
		rc = err_set(err, -EBADMSG, "version: expected %d", SIGNED_POLICY_VERSION);
	if (rc == 0)
		rc = read_text(json, "name", sizeof(p->name) - 1, p->name, err);
	if (rc == 0 && !signed_policy_name_is_valid(p->name))
		rc = err_set(err, -EBADMSG, "name: expected letters, digits, blanks and ._+-");
	if (rc == 0)
		rc = json_get_uint(json, "generation", JSON_INT_MAX, &p->generation, err);
	if (rc == 0)
		rc = json_get_optional_bool(json, "ends-older", &p->ends_older, err);
	if (rc == 0)
		rc = read_counter(json, &p->counter, err);
	if (rc == 0)
		rc = read_pcr_list(json, &p->pcrs, err);
	if (rc == 0)
		rc = read_text(json, "key", sizeof(p->kid) - 1, p->kid, err);
	if (rc == 0)
		rc = read_text(json, "signature", sizeof(p->signature) - 1, p->signature, err);
	return rc;
}

int signed_policy_parse(struct signed_policy *ret, struct span text, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	struct signed_policy p = {0};
	int rc = json_parse(&json, text, SIGNED_POLICY_SIZE_MAX, err);

	if (rc == 0 && !cJSON_IsObject(json))
		rc = err_set(err, -EBADMSG, "expected a JSON object");
	if (rc == 0)
		rc = read_members(json, &p, err);
	if (rc < 0)
		return err_wrap(err, "signed policy");
	*ret = p;
	return 0;
}

static bool add_pcrs(cJSON *json, const struct pcr_policy *pcrs)
{
	cJSON *array = cJSON_AddArrayToObject(json, "pcr");
	bool good = array;

	for (unsigned i = 0; good && i < TPM_PCR_COUNT; i++) {
		const TPM2B_DIGEST *value = &pcrs->values.values[i];
		char hex[2 * sizeof(value->buffer) + 1];
		cJSON *item;

		if (!(pcrs->mask & (1u << i)))
			continue;
		hex_encode(span_of(value->buffer, value->size), hex);
		item = cJSON_CreateObject();
		good = cJSON_AddItemToArray(array, item) &&
		       cJSON_AddNumberToObject(item, "index", i) &&
		       cJSON_AddStringToObject(item, "value", hex);
	}
	return good;
}

char *signed_policy_print(const struct signed_policy *p)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();
	_cleanup_(free_text) char *text = NULL;
	char index[16];
	char *line = NULL;
	bool good;

	(void)snprintf(index, sizeof(index), "0x%08x", p->counter);
	good = cJSON_AddNumberToObject(json, "version", SIGNED_POLICY_VERSION) &&
	       cJSON_AddStringToObject(json, "name", p->name) &&
	       cJSON_AddNumberToObject(json, "generation", (double)p->generation) &&
	       cJSON_AddBoolToObject(json, "ends-older", p->ends_older) &&
	       cJSON_AddStringToObject(json, "policy-nv-index", index) &&
	       cJSON_AddStringToObject(json, "pcr-bank", tpm_bank_name(p->pcrs.bank)) &&
	       add_pcrs(json, &p->pcrs) && cJSON_AddStringToObject(json, "key", p->kid) &&
	       cJSON_AddStringToObject(json, "signature", p->signature);
	text = good ? cJSON_PrintUnformatted(json) : NULL;
	if (!text || asprintf(&line, "%s\n", text) < 0)
		return NULL;
	return line;
}

int signed_policy_read_pcrs(struct signed_policy *p, const char *text, struct err *err)
{
	struct pcr_policy pcrs = {.bank = p->pcrs.bank};
	_cleanup_(free_text) char *copy = strdup(text);
	char *rest = NULL;
	int rc = copy ? 0 : err_set(err, -ENOMEM, "out of memory");

	for (char *item = copy ? strtok_r(copy, ",", &rest) : NULL; rc == 0 && item;
	     item = strtok_r(NULL, ",", &rest)) {
		char *end = NULL;
		const unsigned long index = strtoul(item, &end, 10);

		if (end == item || item[0] < '0' || item[0] > '9' || index >= TPM_PCR_COUNT ||
		    (*end != '=' && *end != '\0'))
			return err_set(err, -EINVAL,
				       "pcr: '%s': expected 0 to %d, '=' and its value as hex",
				       item, TPM_PCR_COUNT - 1);
		rc = set_pcr(&pcrs, index, *end ? end + 1 : NULL, err);
	}
	if (rc == 0 && !pcrs.mask)
		rc = err_set(err, -EINVAL, "pcr: expected 7=HEX, or more of them by commas");
	if (rc == 0)
		p->pcrs = pcrs;
	return rc;
}
