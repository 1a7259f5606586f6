/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/seal_record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"

static void free_text(char **text)
{
	free(*text);
}

static int read_hex(const cJSON *json, const char *member, size_t size_min, size_t size_max,
		    uint8_t *ret, size_t *ret_size, struct err *err)
{
	const char *text;
	int rc = json_get_string(json, member, 2 * size_max, &text, err);

	if (rc < 0)
		return rc;
	if (hex_decode(text, size_min, size_max, ret, ret_size) < 0)
		return err_set(err, -EBADMSG, "%s: expected %zu to %zu bytes as hex", member,
			       size_min, size_max);
	return 0;
}

static int read_name(const cJSON *json, const char *member, TPM2B_NAME *ret, struct err *err)
{
	size_t size;
	int rc = read_hex(json, member, 34, sizeof(ret->name), ret->name, &size, err);

	if (rc == 0)
		ret->size = (UINT16)size;
	return rc;
}

static int read_base64(const cJSON *json, const char *member, size_t size_min, size_t size_max,
		       uint8_t *ret, size_t *ret_size, struct err *err)
{
	uint8_t *bytes = NULL;
	const char *text;
	size_t size;
	int rc = json_get_string(json, member, BASE64_LENGTH(size_max), &text, err);

	if (rc < 0)
		return rc;
	rc = base64_decode(span_of_string(text), &bytes, &size);
	if (rc == 0 && size >= size_min && size <= size_max) {
		memcpy(ret, bytes, size);
		*ret_size = size;
	} else if (rc != -ENOMEM) {
		rc = -EBADMSG;
	}
	free(bytes);
	return rc == 0 ? 0
		       : err_set(err, rc, "%s: expected %zu to %zu bytes as base64", member,
				 size_min, size_max);
}

static int read_handle(const cJSON *json, const char *member, uint8_t type, TPM2_HANDLE *ret,
		       struct err *err)
{
	uint8_t bytes[4];
	const char *text;
	size_t size;
	int rc = json_get_string(json, member, 10, &text, err);

	if (rc < 0)
		return rc;
	if (strncmp(text, "0x", 2) != 0 || hex_decode(text + 2, 4, 4, bytes, &size) < 0)
		return err_set(err, -EBADMSG, "%s: expected a TPM handle", member);
	*ret = (TPM2_HANDLE)bytes[0] << 24 | (TPM2_HANDLE)bytes[1] << 16 |
	       (TPM2_HANDLE)bytes[2] << 8 | bytes[3];
	if (bytes[0] != type)
		return err_set(err, -EBADMSG, "%s: %s is not %s", member, text,
			       type == TPM2_HT_PERSISTENT ? "a persistent one" : "an NV index");
	return 0;
}

static int read_pcrs(const cJSON *json, struct pcr_policy *ret, struct err *err)
{
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
		return err_set(err, -EBADMSG, "pcr-bank: unknown");
	cJSON_ArrayForEach (item, array) {
		TPM2B_DIGEST *value;
		uint64_t index;
		size_t size;

		rc = json_get_uint(item, "index", TPM_PCR_COUNT - 1, &index, err);
		if (rc < 0)
			return rc;
		value = &ret->values.values[index];
		rc = read_hex(item, "value", 20, sizeof(value->buffer), value->buffer, &size, err);
		if (rc < 0)
			return rc;
		value->size = (UINT16)size;
		ret->mask |= 1u << index;
	}
	return 0;
}

static int read_authority(const cJSON *json, struct policy_authority *ret, struct err *err)
{
	size_t size;
	int rc;

	if (!cJSON_GetObjectItemCaseSensitive(json, "policy-key"))
		return 0;
	rc = read_base64(json, "policy-key", POLICY_KEY_SIZE, POLICY_KEY_SIZE, ret->modulus, &size,
			 err);
	if (rc == 0)
		rc = read_handle(json, "policy-nv-index", TPM2_HT_NV_INDEX, &ret->counter, err);
	ret->is_set = rc == 0;
	return rc;
}

static int read_lock(const cJSON *json, struct nv_condition *ret, struct err *err)
{
	struct nv_condition lock = {.lockable = true, .operation = TPM2_EO_EQ};
	int rc;

	if (!cJSON_GetObjectItemCaseSensitive(json, "seal-nv-index"))
		return 0;
	rc = read_handle(json, "seal-nv-index", TPM2_HT_NV_INDEX, &lock.index, err);
	if (rc == 0)
		rc = json_get_uint(json, "seal-count", JSON_INT_MAX, &lock.value, err);
	if (rc == 0)
		*ret = lock;
	return rc;
}

static int read_pin_number(const cJSON *json, unsigned *ret, struct err *err)
{
	uint64_t number;
	int rc = json_get_uint(json, "pin", PIN_CHAIN_MAX - 1, &number, err);

	if (rc < 0)
		return rc;
	*ret = (unsigned)number;
	return 0;
}

int seal_record_read_directories(const cJSON *json, struct seal_record *ret, struct err *err)
{
	const cJSON *array;
	const cJSON *item;
	int rc = json_get_array(json, "directory", &array, err);

	if (rc < 0)
		return rc;
	cJSON_ArrayForEach (item, array) {
		struct seal_directory *directory = &ret->directories[ret->n_directories];
		const char *path;
		size_t size;

		if (ret->n_directories == SEAL_DIRECTORIES_MAX)
			return err_set(err, -EBADMSG, "more than %d directories",
				       SEAL_DIRECTORIES_MAX);
		rc = json_get_string(item, "path", PATH_MAX, &path, err);
		if (rc == 0)
			rc = read_hex(item, "key-identifier", FSCRYPT_IDENTIFIER_SIZE,
				      FSCRYPT_IDENTIFIER_SIZE, directory->identifier, &size, err);
		if (rc < 0)
			return rc;
		/* Steward writes only the word "hmac" here; any other word was put there by
		 * somebody else. */
		directory->keeps = cJSON_GetObjectItemCaseSensitive(item, "contents") != NULL;
		directory->path = strdup(path);
		if (!directory->path)
			return err_set(err, -ENOMEM, "out of memory");
		ret->n_directories++;
	}
	return ret->n_directories > 0 ? 0 : err_set(err, -EBADMSG, "no directory");
}

static int read_members(const cJSON *json, struct seal_record *ret, struct err *err)
{
	uint64_t version;
	size_t size;
	int rc = json_get_uint(json, "version", SEAL_RECORD_VERSION, &version, err);

	if (rc == 0 && version == 0)
		rc = err_set(err, -EBADMSG, "version: expected 1 to %d", SEAL_RECORD_VERSION);
	if (rc == 0)
		rc = read_base64(json, "wrapped-fek", WRAPPED_SIZE, WRAPPED_SIZE, ret->wrapped_fek,
				 &size, err);
	if (rc == 0)
		rc = read_handle(json, "key-handle", TPM2_HT_PERSISTENT, &ret->key_handle, err);
	if (rc == 0)
		rc = read_name(json, "key-name", &ret->key_name, err);
	if (rc == 0 && cJSON_GetObjectItemCaseSensitive(json, "previous-key-name"))
		rc = read_name(json, "previous-key-name", &ret->previous_key_name, err);
	if (rc == 0)
		rc = read_name(json, "ek-name", &ret->ek_name, err);
	if (rc == 0)
		rc = read_base64(json, "srk", 1, SRK_SIZE_MAX, ret->srk, &ret->srk_size, err);
	if (rc == 0)
		rc = read_pcrs(json, &ret->policy, err);
	if (rc == 0)
		rc = read_authority(json, &ret->policy.authority, err);
	if (rc == 0)
		rc = read_lock(json, &ret->policy.lock, err);
	if (rc == 0 && cJSON_GetObjectItemCaseSensitive(json, "pin"))
		rc = read_pin_number(json, &ret->pin_number, err);
	return rc == 0 ? seal_record_read_directories(json, ret, err) : rc;
}

static int check_text(const struct seal_record *r, struct span text, struct err *err)
{
	_cleanup_(free_text) char *again = seal_record_print(r);

	if (!again)
		return err_set(err, -ENOMEM, "out of memory");
	if (strlen(again) != text.size || memcmp(again, text.bytes, text.size) != 0)
		return err_set(err, -EBADMSG, "it is not as it was written");
	return 0;
}

int seal_record_parse(struct seal_record *ret, struct span text, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	struct seal_record record = {0};
	int rc = json_parse(&json, text, SEAL_RECORD_SIZE_MAX, err);

	if (rc == 0 && !cJSON_IsObject(json))
		rc = err_set(err, -EBADMSG, "expected a JSON object");
	if (rc == 0)
		rc = read_members(json, &record, err);
	if (rc == 0)
		rc = check_text(&record, text, err);
	if (rc < 0) {
		seal_record_release(&record);
		return rc;
	}
	*ret = record;
	return 0;
}

int seal_record_pin(const struct seal_record *r, uint8_t ret[PIN_SIZE])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t digest[EVP_MAX_MD_SIZE];
	bool good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; good && i < r->n_directories; i++) {
		const struct seal_directory *directory = &r->directories[i];

		good = EVP_DigestUpdate(hash, directory->path, strlen(directory->path) + 1) == 1 &&
		       EVP_DigestUpdate(hash, directory->identifier, FSCRYPT_IDENTIFIER_SIZE) == 1;
	}
	good = good && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	EVP_MD_CTX_free(hash);
	if (!good)
		return -ENOMEM;
	memcpy(ret, digest, PIN_SIZE);
	return 0;
}

bool seal_record_has(const struct seal_record *r, const char *path)
{
	for (size_t i = 0; i < r->n_directories; i++)
		if (strcmp(r->directories[i].path, path) == 0)
			return true;
	return false;
}

void seal_record_release(struct seal_record *r)
{
	for (size_t i = 0; i < r->n_directories; i++)
		free(r->directories[i].path);
	memset(r, 0, sizeof(*r));
}

static int path_of(const char *directory, const char *file, char ret[PATH_MAX], struct err *err)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", directory, file) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", directory);
	return 0;
}

bool seal_record_exists(const char *directory, const char *file)
{
	char path[PATH_MAX];

	return path_of(directory, file, path, NULL) == 0 &&
	       faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int seal_record_load(struct seal_record *ret, const char *directory, const char *file,
		     struct err *err)
{
	_cleanup_(free_text) char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int rc = path_of(directory, file, path, err);

	if (rc == 0)
		rc = file_read_regular(path, SEAL_RECORD_SIZE_MAX, &text, &size, err);
	if (rc < 0)
		return rc;
	rc = seal_record_parse(ret, span_of(text, size), err);
	return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

void seal_record_known_names(const char *directory, TPM2B_NAME ret[SEAL_KNOWN_NAMES])
{
	static const char *const files[] = {SEAL_RECORD_FILE, SEAL_RECORD_NEW_FILE};

	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		struct seal_record record = {0};

		if (seal_record_load(&record, directory, files[i], NULL) < 0)
			continue;
		ret[2 * i] = record.key_name;
		ret[2 * i + 1] = record.previous_key_name;
		seal_record_release(&record);
	}
}

int seal_record_save(const struct seal_record *r, const char *directory, const char *file,
		     struct err *err)
{
	_cleanup_(free_text) char *text = seal_record_print(r);
	char path[PATH_MAX];
	int rc = path_of(directory, file, path, err);

	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	return rc < 0 ? rc : atomic_file_write(path, span_of_string(text), 0600, err);
}

int seal_record_publish(const char *directory, struct err *err)
{
	char from[PATH_MAX];
	char to[PATH_MAX];
	int rc = path_of(directory, SEAL_RECORD_NEW_FILE, from, err);

	if (rc == 0)
		rc = path_of(directory, SEAL_RECORD_FILE, to, err);
	if (rc == 0 && rename(from, to) < 0)
		rc = err_set_errno(err, -errno, "rename %s to %s", from, to);
	return rc == 0 ? directory_sync(directory, err) : rc;
}

/* atomic_file.h writes the first file under the second name, before it renames it. */
static const char *const new_files[] = {SEAL_RECORD_NEW_FILE, SEAL_RECORD_NEW_FILE ".new"};

bool seal_record_exists_new(const char *directory)
{
	for (size_t i = 0; i < N_ELEMENTS(new_files); i++)
		if (seal_record_exists(directory, new_files[i]))
			return true;
	return false;
}

int seal_record_remove_new(const char *directory, struct err *err)
{
	char path[PATH_MAX];

	if (!seal_record_exists_new(directory))
		return 0;
	for (size_t i = 0; i < N_ELEMENTS(new_files); i++) {
		int rc = path_of(directory, new_files[i], path, err);

		if (rc < 0)
			return rc;
		if (unlink(path) < 0 && errno != ENOENT)
			return err_set_errno(err, -errno, "remove %s", path);
	}
	return directory_sync(directory, err);
}
