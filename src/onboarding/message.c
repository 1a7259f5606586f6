/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/message.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"

static const char *const types[] = {
	[MESSAGE_HELLO] = "hello",
	[MESSAGE_CHALLENGE] = "challenge",
	[MESSAGE_PROOF] = "proof",
	[MESSAGE_CREDENTIAL] = "credential",
	[MESSAGE_ATTESTATION] = "attestation",
	[MESSAGE_ACCEPT] = "accept",
	[MESSAGE_KEYS] = "keys",
	[MESSAGE_DONE] = "done",
	[MESSAGE_ERROR] = "error",
};

static const char *const identities[] = {
	[IDENTITY_NONE] = "none",
	[IDENTITY_CERTIFICATE] = "certificate",
	[IDENTITY_EK] = "ek",
	[IDENTITY_EK_CERTIFICATE] = "ek-certificate",
};

static const char *const reasons[] = {
	[REASON_REFUSED] = "refused",
	[REASON_RETRY_LATER] = "retry-later",
	[REASON_POST_QUANTUM] = "post-quantum-required",
};

const char *message_type_name(enum message_type type)
{
	return types[type];
}

const char *message_identity_name(enum message_identity identity)
{
	return identities[identity];
}

const char *message_reason_name(enum message_reason reason)
{
	return reasons[reason];
}

static bool find(const char *const *names, unsigned n, const char *name, unsigned *ret)
{
	for (*ret = 0; *ret < n; *ret += 1)
		if (strcmp(names[*ret], name) == 0)
			return true;
	return false;
}

bool message_type_from_name(const char *name, enum message_type *ret)
{
	unsigned i;
	bool known = find(types, N_ELEMENTS(types), name, &i);

	if (known)
		*ret = (enum message_type)i;
	return known;
}

bool message_identity_from_name(const char *name, enum message_identity *ret)
{
	unsigned i;
	bool known = find(identities, N_ELEMENTS(identities), name, &i);

	if (known)
		*ret = (enum message_identity)i;
	return known;
}

bool message_reason_from_name(const char *name, enum message_reason *ret)
{
	unsigned i;
	bool known = find(reasons, N_ELEMENTS(reasons), name, &i);

	if (known)
		*ret = (enum message_reason)i;
	return known;
}

bool message_host_is_valid(const char *host)
{
	size_t length = strlen(host);

	/* A leading dash would be an option of ssh. */
	if (length == 0 || length >= MESSAGE_HOST_SIZE || host[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)host[i];

		if (c >= 0x80 || (!isalnum(c) && !strchr(".:-", c)))
			return false;
	}
	return true;
}

/* Each writer returns whether it has written everything. It fails only for want of memory. */

static bool add_bytes(cJSON *json, const char *member, const void *bytes, size_t size)
{
	char *text = base64_encode(span_of(bytes, size));
	bool good = text && cJSON_AddStringToObject(json, member, text);

	free(text);
	return good;
}

static bool append_bytes(cJSON *array, const void *bytes, size_t size)
{
	char *text = base64_encode(span_of(bytes, size));
	cJSON *item = text ? cJSON_CreateString(text) : NULL;
	bool good = item && cJSON_AddItemToArray(array, item);

	free(text);
	return good;
}

static bool add_message_bytes(cJSON *json, const char *member, const struct message_bytes *bytes)
{
	return add_bytes(json, member, bytes->bytes, bytes->size);
}

static bool write_hello(cJSON *json, const struct message *m)
{
	const struct message_hello *hello = &m->hello;

	return cJSON_AddNumberToObject(json, "version", hello->version) &&
	       cJSON_AddStringToObject(json, "router", hello->router) &&
	       cJSON_AddStringToObject(json, "asset-id", hello->asset_id) &&
	       add_bytes(json, "nonce", hello->nonce, sizeof(hello->nonce)) &&
	       cJSON_AddStringToObject(json, "header", hello->header) &&
	       cJSON_AddStringToObject(json, "jti", hello->jti) &&
	       cJSON_AddNumberToObject(json, "iat", (double)hello->iat) &&
	       cJSON_AddNumberToObject(json, "exp", (double)hello->exp) &&
	       cJSON_AddStringToObject(json, "signature", hello->signature) &&
	       (!hello->has_kem_key ||
		add_bytes(json, MESSAGE_KEM_MEMBER, hello->kem_key, sizeof(hello->kem_key)));
}

static bool write_challenge(cJSON *json, const struct message *m)
{
	const struct message_challenge *challenge = &m->challenge;

	return add_bytes(json, "nonce", challenge->nonce, sizeof(challenge->nonce)) &&
	       cJSON_AddStringToObject(json, "mode", onboarding_mode_name(challenge->mode)) &&
	       cJSON_AddStringToObject(json, "identity",
				       message_identity_name(challenge->identity)) &&
	       (!challenge->has_kem_ciphertext ||
		add_bytes(json, MESSAGE_KEM_MEMBER, challenge->kem_ciphertext,
			  sizeof(challenge->kem_ciphertext)));
}

static bool add_chain(cJSON *json, const struct message_ek_chain *chain)
{
	cJSON *array = cJSON_AddArrayToObject(json, "ek-chain");

	for (unsigned i = 0; i < chain->n; i++)
		if (!array ||
		    !append_bytes(array, chain->certificates[i].bytes, chain->certificates[i].size))
			return false;
	return array != NULL;
}

static bool write_proof(cJSON *json, const struct message *m)
{
	const struct message_certificate *certificate = &m->proof.ek_certificate;

	return !m->proof.with_ek ||
	       (add_message_bytes(json, "ek", &m->proof.ek) &&
		add_message_bytes(json, "ak", &m->proof.ak) &&
		(m->proof.ek_public.size == 0 ||
		 add_message_bytes(json, "ek-public", &m->proof.ek_public)) &&
		(certificate->size == 0 ||
		 add_bytes(json, "ek-certificate", certificate->bytes, certificate->size)) &&
		(!m->proof.ek_chain || add_chain(json, m->proof.ek_chain)));
}

static bool write_credential(cJSON *json, const struct message *m)
{
	return add_message_bytes(json, "credential-blob", &m->credential.blob) &&
	       add_message_bytes(json, "secret", &m->credential.secret);
}

static bool write_attestation(cJSON *json, const struct message *m)
{
	const struct message_attestation *attestation = &m->attestation;
	cJSON *pcrs;

	if (!add_message_bytes(json, "quote", &attestation->quote) ||
	    !add_message_bytes(json, "signature", &attestation->signature))
		return false;
	pcrs = cJSON_AddArrayToObject(json, "pcrs");
	for (unsigned i = 0; i < MESSAGE_PCRS; i++)
		if (!pcrs || !append_bytes(pcrs, attestation->pcrs[i], MESSAGE_PCR_SIZE))
			return false;
	return true;
}

static bool write_conductor(cJSON *json, const struct message_conductor *conductor)
{
	cJSON *keys;

	if (!cJSON_AddStringToObject(json, "host", conductor->host) ||
	    !cJSON_AddNumberToObject(json, "port", conductor->port))
		return false;
	keys = cJSON_AddArrayToObject(json, "ssh-host-keys");
	for (unsigned i = 0; i < conductor->n_ssh_host_keys; i++)
		if (!keys || !append_bytes(keys, conductor->ssh_host_keys[i].bytes,
					   conductor->ssh_host_keys[i].size))
			return false;
	return cJSON_AddNumberToObject(json, "listen-port", conductor->listen_port) &&
	       cJSON_AddNumberToObject(json, "repository-port", conductor->repository_port);
}

static bool write_accept(cJSON *json, const struct message *m)
{
	cJSON *array = cJSON_AddArrayToObject(json, "conductors");

	for (unsigned i = 0; i < m->accept.n_conductors; i++) {
		cJSON *item = cJSON_CreateObject();

		/* What was appended is freed with the array. */
		if (!array || !item || !cJSON_AddItemToArray(array, item)) {
			cJSON_Delete(item);
			return false;
		}
		if (!write_conductor(item, &m->accept.conductors[i]))
			return false;
	}
	return array != NULL;
}

static bool write_keys(cJSON *json, const struct message *m)
{
	return add_bytes(json, "ssh-key", m->keys.ssh_key, sizeof(m->keys.ssh_key));
}

static bool write_nothing(cJSON *json, const struct message *m)
{
	(void)json;
	(void)m;
	return true;
}

static bool write_error(cJSON *json, const struct message *m)
{
	return cJSON_AddStringToObject(json, "reason", message_reason_name(m->reason));
}

static bool (*const writers[])(cJSON *json, const struct message *m) = {
	[MESSAGE_HELLO] = write_hello,
	[MESSAGE_CHALLENGE] = write_challenge,
	[MESSAGE_PROOF] = write_proof,
	[MESSAGE_CREDENTIAL] = write_credential,
	[MESSAGE_ATTESTATION] = write_attestation,
	[MESSAGE_ACCEPT] = write_accept,
	[MESSAGE_KEYS] = write_keys,
	[MESSAGE_DONE] = write_nothing,
	[MESSAGE_ERROR] = write_error,
};

int message_encode(const struct message *message, char **ret_json, struct err *err)
{
	const char *type = message_type_name(message->type);
	cJSON *json = cJSON_CreateObject();
	char *text = NULL;

	if (cJSON_AddStringToObject(json, "type", type) && writers[message->type](json, message))
		text = cJSON_PrintUnformatted(json);
	cJSON_Delete(json);
	if (!text)
		return err_set(err, -ENOMEM, "%s: out of memory", type);
	if (strlen(text) > MESSAGE_JSON_MAX) {
		int rc = err_set(err, -E2BIG, "%s: %zu bytes, expected at most %u", type,
				 strlen(text), MESSAGE_JSON_MAX);

		free(text);
		return rc;
	}
	*ret_json = text;
	return 0;
}

void message_release(struct message *message)
{
	if (message->type == MESSAGE_ACCEPT)
		free(message->accept.conductors);
	if (message->type == MESSAGE_PROOF)
		free(message->proof.ek_chain);
	memset(message, 0, sizeof(*message));
}
