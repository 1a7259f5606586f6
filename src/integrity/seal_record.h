/* SPDX-License-Identifier: GPL-3.0-or-later */
/* seal_record.h - the record of the sealing, on disk, not encrypted, outside the encrypted
 * directories.
 *
 * There is exactly one text for a record: members in a fixed order, no white space, one line. So
 * a file that says the same in another text was changed by somebody. The label of the wrapped FEK
 * is the base64url SHA-256 of the text without that member, so that no other member can be
 * changed either. (In hex it would have 65 bytes with its final zero; tss2's TPM2B_DATA takes
 * 64.)
 *
 *	{"version":1,"wrapped-fek":"<base64>","key-handle":"0x81010128","key-name":"<hex>",
 *	 "ek-name":"<hex>","srk":"<base64>","pcr-bank":"sha256",
 *	 "pcr":[{"index":7,"value":"<hex>"}],
 *	 "directory":[{"path":"/etc/steward/secrets","key-identifier":"<hex>"}]}
 *
 * A key that opens by signed policies (policy_authority.h) makes it version 2, with
 * "policy-key":"<base64 of the modulus>","policy-nv-index":"0x01800129" after "pcr", whose values
 * are then only those at the sealing.
 *
 * A key that is unusable after the boot (boot_lock.h) makes it version 2 too, with
 * "seal-nv-index":"0x0180012a","seal-count":1 after those.
 *
 * A directory whose files of Steward are authenticated (contents.h) has "contents":"hmac" after
 * its key-identifier.
 *
 * "pin":1 is before "directory" once directories have been added: the number of its pin (pin.h).
 *
 * After a reseal "previous-key-name" follows "key-name": a power cut may have left that key in
 * the TPM.
 */
#pragma once

#include "base/span.h"
#include "integrity/fscrypt.h"
#include "integrity/pin.h"
#include "integrity/wrapping_key.h"

#define SEAL_RECORD_VERSION    2 /* 1: without what that version did not have */
#define SEAL_RECORD_SIZE_MAX   (256u << 10)
#define SEAL_DIRECTORIES_MAX   64
#define SEAL_RECORD_LABEL_SIZE 44 /* 43 characters and a zero */

struct seal_directory {
	char *path;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];
	bool keeps; /* what Steward keeps in it is authenticated: base/kept_file.h */
};

struct seal_record {
	uint8_t wrapped_fek[WRAPPED_SIZE];
	TPM2_HANDLE key_handle;
	TPM2B_NAME key_name;
	TPM2B_NAME previous_key_name; /* size 0 = none */
	TPM2B_NAME ek_name;
	uint8_t srk[SRK_SIZE_MAX];
	size_t srk_size;
	struct pcr_policy policy;
	unsigned pin_number;
	struct seal_directory directories[SEAL_DIRECTORIES_MAX];
	size_t n_directories;
};

/* Parse the whole text. -EBADMSG: what is wrong in it. */
int seal_record_parse(struct seal_record *ret, struct span text, struct err *err);
struct cJSON;
/* Its member "directory" alone, into ret. -EBADMSG; then ret is to be released, too. */
int seal_record_read_directories(const struct cJSON *json, struct seal_record *ret,
				 struct err *err);
/* Zero-terminated, freed by the caller; NULL = out of memory. */
char *seal_record_print(const struct seal_record *r);
/* Takes zeroed ones. */
void seal_record_release(struct seal_record *r);

/* Whether path is one of its directories. */
bool seal_record_has(const struct seal_record *r, const char *path);

/* -ENOMEM. */
int seal_record_label(const struct seal_record *r, char ret[SEAL_RECORD_LABEL_SIZE]);
int seal_record_pin(const struct seal_record *r, uint8_t ret[PIN_SIZE]);

/* Files: "record.json" and "record.json.new" of the record directory. -ENOENT if there is none. */
#define SEAL_RECORD_FILE     "record.json"
#define SEAL_RECORD_NEW_FILE "record.json.new"
bool seal_record_exists(const char *directory, const char *file);
int seal_record_load(struct seal_record *ret, const char *directory, const char *file,
		     struct err *err);

/* The Names that the records in directory give to keys of ours, also to those that a power cut left
 * behind: what has one of them is not foreign. Those that are not there are empty. */
#define SEAL_KNOWN_NAMES 4
void seal_record_known_names(const char *directory, TPM2B_NAME ret[SEAL_KNOWN_NAMES]);

int seal_record_save(const struct seal_record *r, const char *directory, const char *file,
		     struct err *err);

/* record.json.new takes the place of record.json, for good. */
int seal_record_publish(const char *directory, struct err *err);
/* Remove record.json.new, for good, and what was to become it; nothing there: nothing to do. */
bool seal_record_exists_new(const char *directory);
int seal_record_remove_new(const char *directory, struct err *err);
