/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "onboarding/message_private.h"

static int read_bytes(const cJSON *json, const char *member, struct message_bytes *ret,
		      struct err *err)
{
	const char *text;
	int rc = json_get_string(json, member, BASE64_LENGTH(MESSAGE_BYTES_MAX), &text, err);

	return rc < 0 ? rc
		      : message_read_base64(text, member, ret->bytes, 1, MESSAGE_BYTES_MAX,
					    &ret->size, err);
}

static int read_certificate(const cJSON *json, const char *member, struct message_certificate *ret,
			    struct err *err)
{
	const char *text;
	int rc = json_get_string(json, member, BASE64_LENGTH(MESSAGE_CERTIFICATE_MAX), &text, err);

	return rc < 0 ? rc
		      : message_read_base64(text, member, ret->bytes, 1, MESSAGE_CERTIFICATE_MAX,
					    &ret->size, err);
}

/* Beside one of the EK alone. */
static int read_chain(const cJSON *json, struct message_proof *proof, struct err *err)
{
	const cJSON *array = NULL;
	const cJSON *item;
	size_t size = 0;
	int rc = json_get_array(json, "ek-chain", &array, err);
	int n = rc == 0 ? cJSON_GetArraySize(array) : 0;

	if (rc < 0)
		return rc;
	if (proof->ek_certificate.size == 0)
		return err_set(err, -EBADMSG, "\"ek-chain\" without \"ek-certificate\"");
	if (n == 0 || (unsigned)n > MESSAGE_EK_CHAIN_MAX)
		return err_set(err, -EBADMSG, "\"ek-chain\": %d certificates, expected 1 to %u", n,
			       MESSAGE_EK_CHAIN_MAX);
	proof->ek_chain = calloc(1, sizeof(*proof->ek_chain));
	if (!proof->ek_chain)
		return err_set(err, -ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, array) {
		struct message_certificate *next =
			&proof->ek_chain->certificates[proof->ek_chain->n++];
		const char *text = cJSON_GetStringValue(item);

		if (!text)
			return err_set(err, -EBADMSG, "\"ek-chain\": expected strings");
		rc = message_read_base64(text, "ek-chain", next->bytes, 1, MESSAGE_CERTIFICATE_MAX,
					 &next->size, err);
		if (rc < 0)
			return rc;
		size += next->size;
	}
	return size <= MESSAGE_EK_CHAIN_SIZE
		       ? 0
		       : err_set(err, -EBADMSG, "\"ek-chain\": %zu bytes, expected at most %zu",
				 size, MESSAGE_EK_CHAIN_SIZE);
}

int message_read_proof(struct message *m, const cJSON *json, struct err *err)
{
	struct message_proof *proof = &m->proof;
	int rc;

	proof->with_ek = json->child->next != NULL; /* something beside "type" */
	if (!proof->with_ek)
		return 0;
	rc = read_bytes(json, "ek", &proof->ek, err);
	if (rc == 0)
		rc = read_bytes(json, "ak", &proof->ak, err);
	if (rc == 0 && cJSON_HasObjectItem(json, "ek-public"))
		rc = read_bytes(json, "ek-public", &proof->ek_public, err);
	if (rc == 0 && cJSON_HasObjectItem(json, "ek-certificate"))
		rc = read_certificate(json, "ek-certificate", &proof->ek_certificate, err);
	if (rc == 0 && cJSON_HasObjectItem(json, "ek-chain"))
		rc = read_chain(json, proof, err);
	return rc;
}

int message_read_credential(struct message *m, const cJSON *json, struct err *err)
{
	int rc = read_bytes(json, "credential-blob", &m->credential.blob, err);

	return rc < 0 ? rc : read_bytes(json, "secret", &m->credential.secret, err);
}

static int read_pcrs(struct message_attestation *attestation, const cJSON *json, struct err *err)
{
	const cJSON *array = NULL;
	const cJSON *item;
	unsigned n = 0;
	size_t size;
	int rc = json_get_array(json, "pcrs", &array, err);

	if (rc == 0 && cJSON_GetArraySize(array) != MESSAGE_PCRS)
		rc = err_set(err, -EBADMSG, "\"pcrs\": %d values, expected %d",
			     cJSON_GetArraySize(array), MESSAGE_PCRS);
	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		const char *text = cJSON_GetStringValue(item);

		if (!text)
			return err_set(err, -EBADMSG, "\"pcrs\": expected strings");
		rc = message_read_base64(text, "pcrs", attestation->pcrs[n++], MESSAGE_PCR_SIZE,
					 MESSAGE_PCR_SIZE, &size, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int message_read_attestation(struct message *m, const cJSON *json, struct err *err)
{
	struct message_attestation *attestation = &m->attestation;
	int rc = read_bytes(json, "quote", &attestation->quote, err);

	if (rc == 0)
		rc = read_bytes(json, "signature", &attestation->signature, err);
	return rc < 0 ? rc : read_pcrs(attestation, json, err);
}
