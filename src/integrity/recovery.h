/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recovery.h - an optional way back: the FEK, wrapped to a public key whose private half is kept
 * elsewhere.
 *
 * recovery.json is beside the record. It has no secret, and may be copied anywhere; using it
 * takes the private key, and the encrypted directories. It is RSA-OAEP with SHA-256 and no label,
 * so that openssl-pkeyutl(1) unwraps it:
 *
 *	{"version":1,"recovery-key":"<hex SHA-256 of the key's SubjectPublicKeyInfo>",
 *	 "wrapped-fek":"<base64>","directory":[{"path":"/etc/steward/secrets",
 *	 "key-identifier":"<hex>"}]}
 */
#pragma once

#include "base/json.h"
#include "base/settings.h"
#include "integrity/seal_record.h"

#define RECOVERY_FILE     "recovery.json"
#define RECOVERY_SIZE_MAX (256u << 10)

/* Is what recovery-key names a key that can be wrapped to? Errors: the file's own; -EINVAL. */
int recovery_check(const struct config_integrity *config, struct err *err);

/* Write recovery.json for the record's directories; without recovery-key, remove one of before. To
 * be called in a child (tpm_child.h): OpenSSL keeps what it has seen. */
int recovery_save(const struct config_integrity *config, const struct seal_record *record,
		  const uint8_t fek[FSCRYPT_FEK_SIZE], struct err *err);

/* The whole file, to be handed to who keeps it. -ENOENT, -EBADMSG. */
int recovery_read(const struct config_integrity *config, cJSON **ret, struct err *err);

/* The directories alone, for who lost the record; to be released. -ENOENT, -EBADMSG. */
int recovery_load(const struct config_integrity *config, struct seal_record *ret, struct err *err);
