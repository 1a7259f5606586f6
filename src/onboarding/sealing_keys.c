/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/sealing_keys.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define HEAD_SIZE   3u
#define DIGEST_SIZE 32

static int set_id(struct sealing_key *key, struct err *err)
{
	uint8_t hashed[1 + ENCAPSULATION_PUBLIC_MAX];
	uint8_t digest[DIGEST_SIZE];

	hashed[0] = (uint8_t)key->kind->kind;
	memcpy(hashed + 1, key->public, key->kind->public_size);
	if (EVP_Digest(hashed, 1 + key->kind->public_size, digest, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, -ENOMEM, "out of memory");
	memcpy(key->id, digest, SEALING_ID_SIZE);
	return 0;
}

static bool has_kind(const struct sealing_keys *keys, const struct encapsulation *kind)
{
	for (size_t i = 0; i < keys->n; i++)
		if (keys->keys[i].kind == kind)
			return true;
	return false;
}

int sealing_keys_complete(struct sealing_keys *keys, bool *ret_added, struct err *err)
{
	struct sealing_keys more = *keys;
	const struct encapsulation *kind;
	int rc = 0;

	for (size_t i = 0; rc == 0 && more.n < SEALING_KEYS_MAX && (kind = encapsulation_at(i));
	     i++) {
		struct sealing_key *key = &more.keys[more.n];

		if (has_kind(&more, kind))
			continue;
		key->kind = kind;
		rc = kind->make(key->public, key->private, err);
		if (rc == 0)
			rc = set_id(key, err);
		more.n += rc == 0;
	}
	if (rc == 0) {
		*ret_added = more.n > keys->n;
		*keys = more;
	}
	sealing_keys_release(&more);
	return rc;
}

int sealing_keys_make(struct sealing_keys *ret, struct err *err)
{
	struct sealing_keys made = {.has_private = true};
	bool added;
	int rc = sealing_keys_complete(&made, &added, err);

	if (rc == 0)
		*ret = made;
	sealing_keys_release(&made);
	return rc;
}

static size_t size_of(const struct encapsulation *kind, enum sealing_half half)
{
	return half == SEALING_PRIVATE ? kind->private_size : kind->public_size;
}

static int take_key(struct sealing_keys *keys, const struct encapsulation *kind,
		    const uint8_t *bytes, enum sealing_half half, struct err *err)
{
	struct sealing_key *key = &keys->keys[keys->n];
	int rc = 0;

	if (keys->n == SEALING_KEYS_MAX)
		return err_set(err, -EBADMSG, "more than %d keys", SEALING_KEYS_MAX);
	key->kind = kind;
	memcpy(half == SEALING_PRIVATE ? key->private : key->public, bytes, size_of(kind, half));
	if (half == SEALING_PRIVATE)
		rc = kind->publish(key->private, key->public, err);
	keys->n += rc == 0;
	return rc < 0 ? rc : set_id(key, err);
}

/* Returns what is left of the list in *list. */
static int parse_key(struct sealing_keys *keys, struct span *list, enum sealing_half half,
		     struct err *err)
{
	const struct encapsulation *kind;
	size_t size;
	int rc = 0;

	if (list->size < HEAD_SIZE)
		return err_set(err, -EBADMSG, "%zu bytes are left, a key begins with 3",
			       list->size);
	kind = encapsulation_of(list->bytes[0]);
	size = (size_t)list->bytes[1] << 8 | list->bytes[2];
	if (size > list->size - HEAD_SIZE)
		return err_set(err, -EBADMSG, "a key of %zu bytes, and %zu are there", size,
			       list->size - HEAD_SIZE);
	if (kind && size != size_of(kind, half))
		return err_set(err, -EBADMSG, "%s: a key of %zu bytes, expected %zu", kind->name,
			       size, size_of(kind, half));
	if (kind)
		rc = take_key(keys, kind, list->bytes + HEAD_SIZE, half, err);
	*list = span_of(list->bytes + HEAD_SIZE + size, list->size - HEAD_SIZE - size);
	return rc;
}

int sealing_keys_parse(struct sealing_keys *ret, struct span list, enum sealing_half half,
		       struct err *err)
{
	struct sealing_keys parsed = {.has_private = half == SEALING_PRIVATE};
	int rc = 0;

	if (list.size > SEALING_LIST_MAX)
		return err_set(err, -EBADMSG, "sealing keys: more than %zu bytes",
			       SEALING_LIST_MAX);
	while (rc == 0 && list.size > 0)
		rc = parse_key(&parsed, &list, half, err);
	if (rc == 0 && parsed.n == 0)
		rc = err_set(err, -EBADMSG, "no key of a kind that is known here");
	if (rc == 0)
		*ret = parsed;
	else
		(void)err_wrap(err, "sealing keys");
	sealing_keys_release(&parsed);
	return rc;
}

size_t sealing_keys_print(const struct sealing_keys *keys, enum sealing_half half,
			  uint8_t ret[SEALING_LIST_MAX])
{
	uint8_t *at = ret;

	for (size_t i = 0; i < keys->n; i++) {
		const struct sealing_key *key = &keys->keys[i];
		const size_t size = size_of(key->kind, half);

		*at++ = (uint8_t)key->kind->kind;
		*at++ = (uint8_t)(size >> 8);
		*at++ = (uint8_t)size;
		memcpy(at, half == SEALING_PRIVATE ? key->private : key->public, size);
		at += size;
	}
	return (size_t)(at - ret);
}

const struct sealing_key *sealing_keys_find(const struct sealing_keys *keys,
					    const uint8_t id[SEALING_ID_SIZE])
{
	for (size_t i = 0; i < keys->n; i++)
		if (memcmp(keys->keys[i].id, id, SEALING_ID_SIZE) == 0)
			return &keys->keys[i];
	return NULL;
}

bool sealing_keys_have(const struct sealing_keys *keys, const struct sealing_keys *these)
{
	for (size_t i = 0; i < these->n; i++)
		if (!sealing_keys_find(keys, these->keys[i].id))
			return false;
	return true;
}

void sealing_keys_release(struct sealing_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}
