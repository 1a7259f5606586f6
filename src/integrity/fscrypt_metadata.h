/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt_metadata.h - what the fscrypt tool keeps on a filesystem: .fscrypt in its root.
 *
 *	/etc/fscrypt.conf                     without it the tool does nothing
 *	MOUNT/.fscrypt/policies/IDENTIFIER    the directory's key, wrapped by its protectors'
 *	MOUNT/.fscrypt/protectors/DESCRIPTOR  the protector's key, wrapped by the FEK
 *
 * These are protobuf messages; here is read of them which protectors a policy names, in
 * fscrypt_wrapped the keys. Changing them is the tool's.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "integrity/failure.h"

#define FSCRYPT_CONF            "/etc/fscrypt.conf"
#define FSCRYPT_DESCRIPTOR_SIZE 16 /* hex digits of a protector's */
#define FSCRYPT_POLICY_SIZE     32 /* hex digits of a policy's */
#define FSCRYPT_N_PROTECTORS    32 /* of a policy; more are not looked at */

struct fscrypt_metadata {
	char mount[PATH_MAX]; /* the filesystem's root */
};

struct fscrypt_protectors {
	char descriptor[FSCRYPT_N_PROTECTORS][FSCRYPT_DESCRIPTOR_SIZE + 1];
	size_t n;
};

/* Finds the metadata of the filesystem that path is, or would be, on. */
int fscrypt_metadata_find(struct fscrypt_metadata *m, const char *path, struct failure *f);

/* .fscrypt is there, with its folders. */
bool fscrypt_metadata_is_set_up(const struct fscrypt_metadata *m);

/* Everything an unlock of this policy needs; CAUSE_METADATA_MISSING says what is not there. */
int fscrypt_metadata_check(const struct fscrypt_metadata *m, const char *policy, struct failure *f);

#define FSCRYPT_POLICIES   "policies/"
#define FSCRYPT_PROTECTORS "protectors/"

/* One of its files; the caller frees *ret. folder: one of the above. */
int fscrypt_metadata_read(const struct fscrypt_metadata *m, const char *folder, const char *name,
			  char **ret, size_t *ret_size, struct err *err);

bool fscrypt_metadata_has_policy(const struct fscrypt_metadata *m, const char *policy);

/* The protectors of this policy that are on this filesystem, and that no other policy needs. */
int fscrypt_metadata_own_protectors(const struct fscrypt_metadata *m, const char *policy,
				    struct fscrypt_protectors *ret, struct failure *f);

/* What was made or removed stays so after a power cut: the tool (0.3.3) syncs the files it
 * writes, but not the folders and the configuration it sets up, nor what it removes. */
int fscrypt_metadata_sync(const struct fscrypt_metadata *m, struct failure *f);
int fscrypt_conf_sync(struct failure *f);

/* The configuration is there, and JSON. The tool (0.3.3) writes it in place, after a calibration of
 * seconds: one that was cut short then is no use to it, and in the way of a new one. */
bool fscrypt_conf_is_whole(void);
