#include "onboarding/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"
#include "onboarding/message_private.h"

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
};

static const char *const reasons[] = {
	[REASON_REFUSED] = "refused",
	[REASON_RETRY_LATER] = "retry-later",
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

static bool find(const char *const *names, size_t n, const char *name, unsigned *ret)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0) {
			*ret = i;
			return true;
		}
	return false;
}

/* One of a few names. */
static int read_choice(const cJSON *json, const char *member, const char *const *names, size_t n,
		       unsigned *ret, struct err *err)
{
	const char *name;
	int rc = json_get_string(json, member, 64, &name, err);

	if (rc == 0 && !find(names, n, name, ret))
		rc = err_set(err, -EBADMSG, "\"%s\": '%s' is none that is known", member, name);
	return rc;
}

static int read_name(const cJSON *json, const char *member, char ret[TOKEN_NAME_SIZE],
		     struct err *err)
{
	const char *name;
	int rc = json_get_string(json, member, TOKEN_NAME_SIZE - 1, &name, err);

	if (rc == 0 && !token_name_is_valid(name))
		rc = err_set(err, -EBADMSG, "\"%s\": '%s' is not a name", member, name);
	if (rc == 0)
		(void)snprintf(ret, TOKEN_NAME_SIZE, "%s", name);
	return rc;
}

/* A part of a JWS: base64url, and left so. */
static int read_part(const cJSON *json, const char *member, char *ret, size_t size, struct err *err)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	const char *text;
	int rc = json_get_string(json, member, size - 1, &text, err);

	if (rc == 0 && text[strspn(text, alphabet)] != '\0')
		rc = err_set(err, -EBADMSG, "\"%s\": not base64url", member);
	if (rc == 0)
		(void)snprintf(ret, size, "%s", text);
	return rc;
}

int message_decode_bytes(const char *text, const char *member, uint8_t *ret, size_t min, size_t max,
			 size_t *ret_size, struct err *err)
{
	uint8_t *bytes = NULL;
	int rc = base64_decode(span_of_string(text), &bytes, ret_size);

	if (rc < 0)
		return err_set(err, rc, "\"%s\": not base64", member);
	if (*ret_size < min || *ret_size > max)
		rc = err_set(err, -EBADMSG, "\"%s\": %zu bytes, expected %zu to %zu", member,
			     *ret_size, min, max);
	else
		memcpy(ret, bytes, *ret_size);
	free(bytes);
	return rc;
}

static int read_fixed(const cJSON *json, const char *member, uint8_t *ret, size_t size,
		      struct err *err)
{
	const char *text;
	size_t found;
	int rc = json_get_string(json, member, BASE64_LENGTH(size), &text, err);

	return rc < 0 ? rc : message_decode_bytes(text, member, ret, size, size, &found, err);
}

static int read_bytes(const cJSON *json, const char *member, struct message_bytes *ret,
		      struct err *err)
{
	const char *text;
	int rc = json_get_string(json, member, BASE64_LENGTH(MESSAGE_BYTES_MAX), &text, err);

	return rc < 0 ? rc
		      : message_decode_bytes(text, member, ret->bytes, 1, MESSAGE_BYTES_MAX,
					     &ret->size, err);
}

static int read_hello(struct message *m, const cJSON *json, struct err *err)
{
	struct message_hello *hello = &m->hello;
	uint64_t version = 0;
	int rc = json_get_uint(json, "version", JSON_INT_MAX, &version, err);

	if (rc == 0 && version != MESSAGE_VERSION)
		rc = err_set(err, -EBADMSG, "\"version\" is %llu, expected %u",
			     (unsigned long long)version, MESSAGE_VERSION);
	if (rc == 0)
		rc = read_name(json, "router", hello->router, err);
	if (rc == 0)
		rc = read_name(json, "asset-id", hello->asset_id, err);
	if (rc == 0)
		rc = read_fixed(json, "nonce", hello->nonce, sizeof(hello->nonce), err);
	if (rc == 0)
		rc = read_part(json, "header", hello->header, sizeof(hello->header), err);
	if (rc == 0)
		rc = read_part(json, "jti", hello->jti, sizeof(hello->jti), err);
	if (rc == 0 && !token_jti_is_valid(hello->jti))
		rc = err_set(err, -EBADMSG, "\"jti\": expected 32 lower-case hex digits");
	if (rc == 0)
		rc = json_get_uint(json, "iat", JSON_INT_MAX, &hello->iat, err);
	if (rc == 0)
		rc = json_get_uint(json, "exp", JSON_INT_MAX, &hello->exp, err);
	if (rc == 0)
		rc = read_part(json, "signature", hello->signature, sizeof(hello->signature), err);
	return rc;
}

static int read_challenge(struct message *m, const cJSON *json, struct err *err)
{
	struct message_challenge *challenge = &m->challenge;
	const char *mode = NULL;
	unsigned identity = 0;
	int rc = read_fixed(json, "nonce", challenge->nonce, sizeof(challenge->nonce), err);

	if (rc == 0)
		rc = json_get_string(json, "mode", 64, &mode, err);
	if (rc == 0 && (!onboarding_mode_from_name(mode, &challenge->mode) ||
			challenge->mode == ONBOARDING_DISABLED))
		rc = err_set(err, -EBADMSG, "\"mode\": '%s' is none that is known", mode);
	if (rc == 0)
		rc = read_choice(json, "identity", identities, N_ELEMENTS(identities), &identity,
				 err);
	challenge->identity = (enum message_identity)identity;
	return rc;
}

static int read_proof(struct message *m, const cJSON *json, struct err *err)
{
	struct message_proof *proof = &m->proof;
	int rc;

	proof->with_ek = cJSON_HasObjectItem(json, "ek") || cJSON_HasObjectItem(json, "ak");
	if (!proof->with_ek)
		return 0;
	rc = read_bytes(json, "ek", &proof->ek, err);
	return rc < 0 ? rc : read_bytes(json, "ak", &proof->ak, err);
}

static int read_credential(struct message *m, const cJSON *json, struct err *err)
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
		rc = message_decode_bytes(text, "pcrs", attestation->pcrs[n++], MESSAGE_PCR_SIZE,
					  MESSAGE_PCR_SIZE, &size, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_attestation(struct message *m, const cJSON *json, struct err *err)
{
	struct message_attestation *attestation = &m->attestation;
	int rc = read_bytes(json, "quote", &attestation->quote, err);

	if (rc == 0)
		rc = read_bytes(json, "signature", &attestation->signature, err);
	return rc < 0 ? rc : read_pcrs(attestation, json, err);
}

static int read_keys(struct message *m, const cJSON *json, struct err *err)
{
	uint8_t *key = m->keys.ssh_key;
	int rc = read_fixed(json, "ssh-key", key, SSH_KEY_ED25519_SIZE, err);

	if (rc == 0 && !ssh_key_is_ed25519(span_of(key, SSH_KEY_ED25519_SIZE)))
		rc = err_set(err, -EBADMSG, "\"ssh-key\": not an ssh-ed25519 key blob");
	return rc;
}

static int read_nothing(struct message *m, const cJSON *json, struct err *err)
{
	(void)m;
	(void)json;
	(void)err;
	return 0;
}

static int read_error(struct message *m, const cJSON *json, struct err *err)
{
	unsigned reason = 0;
	int rc = read_choice(json, "reason", reasons, N_ELEMENTS(reasons), &reason, err);

	m->reason = (enum message_reason)reason;
	return rc;
}

#define MEMBERS_MAX 11

static const struct {
	int (*read)(struct message *m, const cJSON *json, struct err *err);
	const char *members[MEMBERS_MAX];
} readers[] = {
	[MESSAGE_HELLO] = {read_hello,
			   {"type", "version", "router", "asset-id", "nonce", "header", "jti",
			    "iat", "exp", "signature"}},
	[MESSAGE_CHALLENGE] = {read_challenge, {"type", "nonce", "mode", "identity"}},
	[MESSAGE_PROOF] = {read_proof, {"type", "ek", "ak"}},
	[MESSAGE_CREDENTIAL] = {read_credential, {"type", "credential-blob", "secret"}},
	[MESSAGE_ATTESTATION] = {read_attestation, {"type", "quote", "signature", "pcrs"}},
	[MESSAGE_ACCEPT] = {message_read_accept, {"type", "conductors"}},
	[MESSAGE_KEYS] = {read_keys, {"type", "ssh-key"}},
	[MESSAGE_DONE] = {read_nothing, {"type"}},
	[MESSAGE_ERROR] = {read_error, {"type", "reason"}},
};

static int read_type(const cJSON *json, enum message_type *ret, struct err *err)
{
	unsigned type = 0;
	int rc;

	if (!cJSON_IsObject(json) || !json->child || strcmp(json->child->string, "type") != 0)
		return err_set(err, -EBADMSG, "expected an object that begins with \"type\"");
	rc = read_choice(json, "type", types, N_ELEMENTS(types), &type, err);
	*ret = (enum message_type)type;
	return rc;
}

int message_decode(struct message *ret, struct span json, struct err *err)
{
	_cleanup_(json_freep) cJSON *parsed = NULL;
	_cleanup_(message_release) struct message m = {0};
	int rc = json_parse(&parsed, json, MESSAGE_JSON_MAX, err);

	if (rc == 0)
		rc = read_type(parsed, &m.type, err);
	if (rc < 0)
		return err_wrap(err, "message");
	rc = json_refuse_others(parsed, readers[m.type].members, err);
	if (rc == 0)
		rc = readers[m.type].read(&m, parsed, err);
	if (rc < 0)
		return err_wrap(err, "%s", types[m.type]);
	*ret = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

void message_release(struct message *message)
{
	if (message->type == MESSAGE_ACCEPT)
		free(message->accept.conductors);
	memset(message, 0, sizeof(*message));
}
