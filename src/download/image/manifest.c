/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "download/image/manifest.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"
#include "download/image/chunk_index.h"

#define HEX_SIZE ((size_t)2 * DIGEST_SIZE + 1)

static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"v1", "metrics", "index.json", "manifest.jws",
					       "pieces"};

	for (size_t i = 0; i < N_ELEMENTS(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	return false;
}

bool manifest_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= MANIFEST_NAME_SIZE || is_reserved(name))
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];
		bool alphanumeric = c < 0x80 && isalnum(c);

		if (!alphanumeric && (i == 0 || !strchr("._+-", c)))
			return false;
	}
	return true;
}

bool manifest_has_chunks(const struct manifest *manifest)
{
	return manifest->chunks.file[0] != '\0';
}

static int read_name(const cJSON *payload, const char *member, char ret[MANIFEST_NAME_SIZE],
		     struct err *err)
{
	const char *name;
	int rc = json_get_string(payload, member, MANIFEST_NAME_SIZE - 1, &name, err);

	if (rc < 0)
		return rc;
	if (!manifest_name_is_valid(name))
		return err_set(err, -EBADMSG, "\"%s\": '%s' is not a name that is allowed", member,
			       name);
	(void)snprintf(ret, MANIFEST_NAME_SIZE, "%s", name);
	return 0;
}

static int read_sha256(const cJSON *payload, uint8_t ret[DIGEST_SIZE], struct err *err)
{
	const char *hex;
	int rc = json_get_string(payload, "sha256", HEX_SIZE - 1, &hex, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(hex[2 * i]);
		int low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);

		if (low < 0)
			return err_set(err, -EBADMSG,
				       "\"sha256\": expected 64 lower-case hex digits");
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* The digest that identifies the image does not cover it, nor do old programs know it: it is
 * optional. But what is there must be right, as all that is signed. */
static int read_chunks(struct manifest *m, const cJSON *payload, struct err *err)
{
	const cJSON *chunks = cJSON_GetObjectItemCaseSensitive(payload, "chunks");
	uint64_t size = 0;
	int rc;

	if (!chunks || cJSON_IsNull(chunks))
		return 0;
	if (!cJSON_IsObject(chunks))
		return err_set(err, -EBADMSG, "\"chunks\": expected an object");
	rc = read_name(chunks, "file", m->chunks.file, err);
	if (rc == 0 && strcmp(m->chunks.file, m->file) == 0)
		rc = err_set(err, -EBADMSG, "\"file\": '%s' is the image itself", m->file);
	if (rc == 0)
		rc = json_get_uint(chunks, "size", CHUNK_INDEX_MAX, &size, err);
	if (rc == 0 && size == 0)
		rc = err_set(err, -EBADMSG, "\"size\": an index of no bytes");
	if (rc == 0)
		rc = read_sha256(chunks, m->chunks.sha256, err);
	m->chunks.size = (uint32_t)size;
	return rc < 0 ? err_wrap(err, "\"chunks\"") : 0;
}

static int read_piece_size(const cJSON *payload, uint32_t *ret, struct err *err)
{
	uint64_t size;
	int rc = json_get_uint(payload, "piece-size", UINT32_MAX, &size, err);

	if (rc < 0)
		return rc;
	if (size < PIECE_SIZE_MIN || size > PIECE_SIZE_MAX || (size & (size - 1)) != 0)
		return err_set(err, -EBADMSG,
			       "\"piece-size\": %" PRIu64
			       ", expected a power of two from %u to %u bytes",
			       size, PIECE_SIZE_MIN, PIECE_SIZE_MAX);
	*ret = (uint32_t)size;
	return 0;
}

static int read_pieces(struct manifest *m, const cJSON *payload, struct err *err)
{
	uint64_t expected = m->size / m->piece_size + (m->size % m->piece_size != 0);
	const char *text;
	uint8_t *bytes = NULL;
	size_t size = 0;
	int rc = json_get_string(payload, "pieces", MANIFEST_SIZE_MAX, &text, err);

	if (rc < 0)
		return rc;
	if (base64url_decode(span_of_string(text), &bytes, &size) < 0)
		return err_set(err, -EBADMSG, "\"pieces\": not base64url");
	if (size % DIGEST_SIZE != 0 || size / DIGEST_SIZE != expected) {
		free(bytes);
		return err_set(err, -EBADMSG,
			       "\"pieces\": %zu bytes, expected %" PRIu64
			       " digests of 32 bytes for a size of %" PRIu64,
			       size, expected, m->size);
	}
	m->pieces = (void *)bytes;
	m->n_pieces = (uint32_t)expected;
	return 0;
}

static void put_u64(uint8_t at[8], uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* Over names with their final zero, numbers as 8 bytes big-endian, and the digests. */
int manifest_set_digest(struct manifest *m, struct err *err)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t numbers[16];
	bool good;

	put_u64(numbers, m->size);
	put_u64(numbers + 8, m->piece_size);
	good = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
	       EVP_DigestUpdate(digest, m->version, strlen(m->version) + 1) == 1 &&
	       EVP_DigestUpdate(digest, m->file, strlen(m->file) + 1) == 1 &&
	       EVP_DigestUpdate(digest, numbers, sizeof(numbers)) == 1 &&
	       EVP_DigestUpdate(digest, m->sha256, DIGEST_SIZE) == 1 &&
	       EVP_DigestUpdate(digest, m->pieces, (size_t)m->n_pieces * DIGEST_SIZE) == 1 &&
	       EVP_DigestFinal_ex(digest, m->digest, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return good ? 0 : err_set(err, -ENOMEM, "SHA-256: out of memory");
}

int manifest_read_payload(struct manifest *ret, const cJSON *payload, const char *version,
			  struct err *err)
{
	_cleanup_(manifest_release) struct manifest m = {0};
	uint64_t created = 0;
	int rc = read_name(payload, "version", m.version, err);

	if (rc == 0 && version && strcmp(version, m.version) != 0)
		rc = err_set(err, -EPROTO, "of version %s, expected %s", m.version, version);
	if (rc == 0)
		rc = read_name(payload, "file", m.file, err);
	if (rc == 0)
		rc = json_get_uint(payload, "size", JSON_INT_MAX, &m.size, err);
	if (rc == 0 && m.size == 0)
		rc = err_set(err, -EBADMSG, "\"size\": an image of no bytes");
	if (rc == 0)
		rc = read_piece_size(payload, &m.piece_size, err);
	if (rc == 0)
		rc = read_sha256(payload, m.sha256, err);
	if (rc == 0)
		rc = read_pieces(&m, payload, err);
	if (rc == 0)
		rc = json_get_uint(payload, "created", JSON_INT_MAX, &created, err);
	if (rc == 0)
		rc = read_chunks(&m, payload, err);
	if (rc == 0)
		rc = manifest_set_digest(&m, err);
	if (rc < 0)
		return rc;
	m.created = (int64_t)created;
	*ret = m;
	m.pieces = NULL;
	return 0;
}

int manifest_parse(struct manifest *ret, const struct jws_key *keys, size_t n_keys, struct span jws,
		   const char *version, struct err *err)
{
	_cleanup_(json_freep) cJSON *payload = NULL;
	int rc;

	if (jws.size > MANIFEST_SIZE_MAX)
		return err_set(err, -E2BIG, "longer than the %u bytes allowed", MANIFEST_SIZE_MAX);
	/* A file made by hand may end in a newline. */
	while (jws.size > 0 && (jws.bytes[jws.size - 1] == '\n' || jws.bytes[jws.size - 1] == '\r'))
		jws.size--;
	rc = jws_verify(jws, MANIFEST_TYP, keys, n_keys, &payload, err);
	if (rc < 0)
		return rc;
	return manifest_read_payload(ret, payload, version, err);
}

int manifest_read_unverified(struct manifest *ret, struct span jws, const char *version,
			     struct err *err)
{
	_cleanup_(json_freep) cJSON *payload = NULL;
	int rc = jws_payload(jws, &payload, err);

	return rc < 0 ? rc : manifest_read_payload(ret, payload, version, err);
}

static bool add_chunks(cJSON *json, const struct manifest_chunks *chunks)
{
	cJSON *object = cJSON_AddObjectToObject(json, "chunks");
	char hex[HEX_SIZE];

	hex_encode(span_of(chunks->sha256, DIGEST_SIZE), hex);
	return object && cJSON_AddStringToObject(object, "file", chunks->file) &&
	       cJSON_AddNumberToObject(object, "size", chunks->size) &&
	       cJSON_AddStringToObject(object, "sha256", hex);
}

/* NULL = out of memory: what is signed is whole. */
static cJSON *to_json(const struct manifest *m)
{
	cJSON *json = cJSON_CreateObject();
	char hex[HEX_SIZE];
	char *pieces = base64url_encode(span_of(m->pieces, (size_t)m->n_pieces * DIGEST_SIZE));
	bool good;

	hex_encode(span_of(m->sha256, DIGEST_SIZE), hex);
	good = pieces && cJSON_AddStringToObject(json, "version", m->version) &&
	       cJSON_AddStringToObject(json, "file", m->file) &&
	       cJSON_AddNumberToObject(json, "size", (double)m->size) &&
	       cJSON_AddStringToObject(json, "sha256", hex) &&
	       cJSON_AddNumberToObject(json, "piece-size", m->piece_size) &&
	       cJSON_AddStringToObject(json, "pieces", pieces) &&
	       cJSON_AddNumberToObject(json, "created", (double)m->created) &&
	       (!manifest_has_chunks(m) || add_chunks(json, &m->chunks));
	free(pieces);
	if (!good)
		json_freep(&json);
	return good ? json : NULL;
}

int manifest_sign(const struct manifest *manifest, const struct jws_key *key, char **ret_jws,
		  struct err *err)
{
	cJSON *json = to_json(manifest);
	char *payload = json ? cJSON_PrintUnformatted(json) : NULL;
	int rc = payload ? 0 : err_set(err, -ENOMEM, "manifest: out of memory");

	cJSON_Delete(json);
	if (rc == 0)
		rc = jws_sign(key, MANIFEST_TYP, span_of_string(payload), ret_jws, err);
	free(payload);
	return rc;
}

void manifest_release(struct manifest *manifest)
{
	free(manifest->pieces);
	memset(manifest, 0, sizeof(*manifest));
}

uint64_t manifest_piece_first(const struct manifest *manifest, uint32_t piece)
{
	return (uint64_t)piece * manifest->piece_size;
}

uint32_t manifest_piece_length(const struct manifest *manifest, uint32_t piece)
{
	uint64_t left = manifest->size - manifest_piece_first(manifest, piece);

	return (uint32_t)MIN(left, manifest->piece_size);
}

int manifest_describe_mismatch(const struct manifest *manifest, uint32_t piece,
			       const uint8_t found[DIGEST_SIZE], struct err *err)
{
	char expected_hex[HEX_SIZE];
	char found_hex[HEX_SIZE];

	hex_encode(span_of(manifest->pieces[piece], DIGEST_SIZE), expected_hex);
	hex_encode(span_of(found, DIGEST_SIZE), found_hex);
	return err_set(err, -EBADMSG,
		       "piece %" PRIu32 " does not match: expected sha256 %s, got %s", piece,
		       expected_hex, found_hex);
}
