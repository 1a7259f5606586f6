/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/macros.h"
#include "onboarding/message_private.h"

static int unknown_name(const char *member, const char *name, struct err *err)
{
	return err_set(err, -EBADMSG, "\"%s\": '%s' is none that is known", member, name);
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

/* Reads a part of a JWS, which stays in base64url. */
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

int message_read_base64(const char *text, const char *member, uint8_t *ret, size_t min, size_t max,
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

	return rc < 0 ? rc : message_read_base64(text, member, ret, size, size, &found, err);
}

/* What a side that has no ML-KEM leaves out. */
static int read_kem(const cJSON *json, uint8_t *ret, size_t size, bool *ret_is_there,
		    struct err *err)
{
	*ret_is_there = cJSON_HasObjectItem(json, MESSAGE_KEM_MEMBER);
	return *ret_is_there ? read_fixed(json, MESSAGE_KEM_MEMBER, ret, size, err) : 0;
}

/* A message of version 1 has no ML-KEM: who says that it is of 1 must not show it. */
static int read_version(struct message_hello *hello, const cJSON *json, struct err *err)
{
	uint64_t version = 0;
	int rc = json_get_uint(json, "version", JSON_INT_MAX, &version, err);

	if (rc == 0 && (version < MESSAGE_VERSION_MIN || version > MESSAGE_VERSION))
		rc = err_set(err, -EBADMSG, "\"version\" is %llu, expected %u or %u",
			     (unsigned long long)version, MESSAGE_VERSION_MIN, MESSAGE_VERSION);
	if (rc == 0)
		rc = read_kem(json, hello->kem_key, sizeof(hello->kem_key), &hello->has_kem_key,
			      err);
	if (rc == 0 && hello->has_kem_key && version < 2)
		rc = err_set(err, -EBADMSG, "\"%s\": version %llu has none", MESSAGE_KEM_MEMBER,
			     (unsigned long long)version);
	hello->version = (unsigned)version;
	return rc;
}

static int read_hello(struct message *m, const cJSON *json, struct err *err)
{
	struct message_hello *hello = &m->hello;
	int rc = read_version(hello, json, err);

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
	const char *identity = NULL;
	int rc = read_fixed(json, "nonce", challenge->nonce, sizeof(challenge->nonce), err);

	if (rc == 0)
		rc = json_get_string(json, "mode", 64, &mode, err);
	if (rc == 0 && (!onboarding_mode_from_name(mode, &challenge->mode) ||
			challenge->mode == ONBOARDING_DISABLED))
		rc = unknown_name("mode", mode, err);
	if (rc == 0)
		rc = json_get_string(json, "identity", 64, &identity, err);
	if (rc == 0 && !message_identity_from_name(identity, &challenge->identity))
		rc = unknown_name("identity", identity, err);
	if (rc == 0)
		rc = read_kem(json, challenge->kem_ciphertext, sizeof(challenge->kem_ciphertext),
			      &challenge->has_kem_ciphertext, err);
	return rc;
}

static int read_port(const cJSON *json, const char *member, uint16_t *ret, struct err *err)
{
	uint64_t port = 0;
	int rc = json_get_uint(json, member, UINT16_MAX, &port, err);

	if (rc == 0 && port == 0)
		rc = err_set(err, -EBADMSG, "\"%s\": expected 1 to 65535", member);
	*ret = (uint16_t)port;
	return rc;
}

static int read_host_keys(struct message_conductor *conductor, const cJSON *json, struct err *err)
{
	const cJSON *array = NULL;
	const cJSON *item;
	int rc = json_get_array(json, "ssh-host-keys", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		const char *text = cJSON_GetStringValue(item);
		struct message_host_key *key;

		if (!text || conductor->n_ssh_host_keys == MESSAGE_HOST_KEYS_MAX)
			return err_set(err, -EBADMSG, "\"ssh-host-keys\": expected 1 to %u keys",
				       MESSAGE_HOST_KEYS_MAX);
		key = &conductor->ssh_host_keys[conductor->n_ssh_host_keys++];
		rc = message_read_base64(text, "ssh-host-keys", key->bytes, 1, sizeof(key->bytes),
					 &key->size, err);
		if (rc < 0)
			return rc;
		if (!ssh_key_type(span_of(key->bytes, key->size)))
			return err_set(err, -EBADMSG, "\"ssh-host-keys\": not a key blob");
	}
	return conductor->n_ssh_host_keys > 0
		       ? 0
		       : err_set(err, -EBADMSG, "\"ssh-host-keys\": expected 1 to %u keys",
				 MESSAGE_HOST_KEYS_MAX);
}

static int read_conductor(struct message_conductor *conductor, const cJSON *json, struct err *err)
{
	static const char *const members[] = {
		"host", "port", "ssh-host-keys", "listen-port", "repository-port", NULL};
	const char *host = NULL;
	int rc;

	if (!cJSON_IsObject(json))
		return err_set(err, -EBADMSG, "\"conductors\": expected objects");
	rc = json_refuse_others(json, members, err);
	if (rc == 0)
		rc = json_get_string(json, "host", MESSAGE_HOST_SIZE - 1, &host, err);
	if (rc == 0 && !message_host_is_valid(host))
		rc = err_set(err, -EBADMSG, "\"host\": '%s' is neither name nor address", host);
	if (rc == 0)
		(void)snprintf(conductor->host, sizeof(conductor->host), "%s", host);
	if (rc == 0)
		rc = read_port(json, "port", &conductor->port, err);
	if (rc == 0)
		rc = read_host_keys(conductor, json, err);
	if (rc == 0)
		rc = read_port(json, "listen-port", &conductor->listen_port, err);
	if (rc == 0)
		rc = read_port(json, "repository-port", &conductor->repository_port, err);
	return rc;
}

static int read_accept(struct message *m, const cJSON *json, struct err *err)
{
	struct message_accept *accept = &m->accept;
	const cJSON *array = NULL;
	const cJSON *item;
	int rc = json_get_array(json, "conductors", &array, err);
	unsigned n;

	if (rc < 0)
		return rc;
	n = (unsigned)cJSON_GetArraySize(array);
	if (n == 0 || n > MESSAGE_CONDUCTORS_MAX)
		return err_set(err, -EBADMSG, "\"conductors\": %u, expected 1 to %u", n,
			       MESSAGE_CONDUCTORS_MAX);
	accept->conductors = calloc(n, sizeof(accept->conductors[0]));
	if (!accept->conductors)
		return err_set(err, -ENOMEM, "out of memory");
	cJSON_ArrayForEach (item, array) {
		rc = read_conductor(&accept->conductors[accept->n_conductors++], item, err);
		if (rc < 0)
			return rc;
	}
	return 0;
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
	const char *reason;
	int rc = json_get_string(json, "reason", 64, &reason, err);

	if (rc == 0 && !message_reason_from_name(reason, &m->reason))
		rc = unknown_name("reason", reason, err);
	return rc;
}

#define MEMBERS_MAX 12

static const struct {
	int (*read)(struct message *m, const cJSON *json, struct err *err);
	const char *members[MEMBERS_MAX];
} readers[] = {
	[MESSAGE_HELLO] = {read_hello,
			   {"type", "version", "router", "asset-id", "nonce", "header", "jti",
			    "iat", "exp", "signature", MESSAGE_KEM_MEMBER}},
	[MESSAGE_CHALLENGE] = {read_challenge,
			       {"type", "nonce", "mode", "identity", MESSAGE_KEM_MEMBER}},
	[MESSAGE_PROOF] = {message_read_proof,
			   {"type", "ek", "ak", "ek-public", "ek-certificate", "ek-chain"}},
	[MESSAGE_CREDENTIAL] = {message_read_credential, {"type", "credential-blob", "secret"}},
	[MESSAGE_ATTESTATION] = {message_read_attestation, {"type", "quote", "signature", "pcrs"}},
	[MESSAGE_ACCEPT] = {read_accept, {"type", "conductors"}},
	[MESSAGE_KEYS] = {read_keys, {"type", "ssh-key"}},
	[MESSAGE_DONE] = {read_nothing, {"type"}},
	[MESSAGE_ERROR] = {read_error, {"type", "reason"}},
};

static int read_type(const cJSON *json, enum message_type *ret, struct err *err)
{
	const char *type;
	int rc;

	if (!cJSON_IsObject(json) || !json->child || strcmp(json->child->string, "type") != 0)
		return err_set(err, -EBADMSG, "expected an object that begins with \"type\"");
	rc = json_get_string(json, "type", 64, &type, err);
	if (rc == 0 && !message_type_from_name(type, ret))
		rc = unknown_name("type", type, err);
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
		return err_wrap(err, "%s", message_type_name(m.type));
	*ret = m;
	memset(&m, 0, sizeof(m));
	return 0;
}
