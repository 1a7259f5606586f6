#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "onboarding/message_private.h"

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
		rc = message_decode_bytes(text, "ssh-host-keys", key->bytes, 1, sizeof(key->bytes),
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

int message_read_accept(struct message *m, const cJSON *json, struct err *err)
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
