/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "integrity/recovery.h"

#include <errno.h>
#include <limits.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/macros.h"

#define WRAPPED_SIZE_MAX 1024 /* RSA-8192 */

static void free_text(char **text)
{
	free(*text);
}

static void free_context(EVP_PKEY_CTX **context)
{
	EVP_PKEY_CTX_free(*context);
}

static int path_of(const struct config_integrity *config, char ret[PATH_MAX], struct err *err)
{
	if ((size_t)snprintf(ret, PATH_MAX, "%s/" RECOVERY_FILE, config->record_directory) >=
	    PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", config->record_directory);
	return 0;
}

static int load_key(const struct config_integrity *config, struct jws_key *ret, struct err *err)
{
	int rc = jws_key_load_public(ret, config->recovery_key, err);

	return rc < 0 ? err_wrap(err, "recovery-key") : 0;
}

int recovery_check(const struct config_integrity *config, struct err *err)
{
	struct jws_key key = {0};
	int rc = config->recovery_key ? load_key(config, &key, err) : 0;

	jws_key_release(&key);
	return rc;
}

static int wrap(const struct jws_key *key, const uint8_t fek[FSCRYPT_FEK_SIZE],
		uint8_t ret[WRAPPED_SIZE_MAX], size_t *ret_size, struct err *err)
{
	_cleanup_(free_context) EVP_PKEY_CTX *context =
		EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);

	*ret_size = WRAPPED_SIZE_MAX;
	if (!context || EVP_PKEY_encrypt_init(context) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) != 1 ||
	    EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) != 1 ||
	    EVP_PKEY_encrypt(context, ret, ret_size, fek, FSCRYPT_FEK_SIZE) != 1)
		return err_set(err, -EIO, "wrap to the recovery-key: OpenSSL refuses");
	return 0;
}

static bool add_directories(cJSON *json, const struct seal_record *record)
{
	cJSON *array = cJSON_AddArrayToObject(json, "directory");
	bool good = array;

	for (size_t i = 0; good && i < record->n_directories; i++) {
		char identifier[2 * FSCRYPT_IDENTIFIER_SIZE + 1];
		cJSON *item = cJSON_CreateObject();

		hex_encode(span_of(record->directories[i].identifier, FSCRYPT_IDENTIFIER_SIZE),
			   identifier);
		good = cJSON_AddItemToArray(array, item) &&
		       cJSON_AddStringToObject(item, "path", record->directories[i].path) &&
		       cJSON_AddStringToObject(item, "key-identifier", identifier);
	}
	return good;
}

static int print(const struct seal_record *record, const char *kid, struct span wrapped, char **ret,
		 struct err *err)
{
	_cleanup_(json_freep) cJSON *json = cJSON_CreateObject();
	_cleanup_(free_text) char *base64 = base64_encode(wrapped);
	_cleanup_(free_text) char *text = NULL;

	if (base64 && cJSON_AddNumberToObject(json, "version", 1) &&
	    cJSON_AddStringToObject(json, "recovery-key", kid) &&
	    cJSON_AddStringToObject(json, "wrapped-fek", base64) && add_directories(json, record))
		text = cJSON_PrintUnformatted(json);
	if (!text || asprintf(ret, "%s\n", text) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int remove_file(const char *path, struct err *err)
{
	return unlink(path) < 0 && errno != ENOENT ? err_set_errno(err, -errno, "remove %s", path)
						   : 0;
}

int recovery_save(const struct config_integrity *config, const struct seal_record *record,
		  const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err)
{
	_cleanup_(free_text) char *text = NULL;
	uint8_t wrapped[WRAPPED_SIZE_MAX];
	struct jws_key key = {0};
	char path[PATH_MAX];
	size_t size = 0;
	int rc = path_of(config, path, err);

	if (rc < 0 || !config->recovery_key)
		return rc < 0 ? rc : remove_file(path, err);
	rc = load_key(config, &key, err);
	if (rc == 0)
		rc = wrap(&key, fek, wrapped, &size, err);
	if (rc == 0)
		rc = print(record, key.kid, span_of(wrapped, size), &text, err);
	jws_key_release(&key);
	return rc < 0 ? rc : atomic_file_write(path, span_of_string(text), 0600, err);
}

int recovery_read(const struct config_integrity *config, cJSON **ret, struct err *err)
{
	_cleanup_(free_text) char *text = NULL;
	char path[PATH_MAX];
	size_t size = 0;
	int rc = path_of(config, path, err);

	if (rc == 0)
		rc = file_read_regular(path, RECOVERY_SIZE_MAX, &text, &size, err);
	if (rc < 0)
		return rc;
	rc = json_parse(ret, span_of(text, size), RECOVERY_SIZE_MAX, err);
	return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

int recovery_load(const struct config_integrity *config, struct seal_record *ret, struct err *err)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	struct seal_record found = {0};
	int rc = recovery_read(config, &json, err);

	if (rc < 0)
		return rc;
	rc = seal_record_read_directories(json, &found, err);
	if (rc < 0) {
		seal_record_release(&found);
		return err_wrap(err, RECOVERY_FILE);
	}
	*ret = found;
	return 0;
}
