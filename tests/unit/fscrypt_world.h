/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fscrypt_world.h - a real ext4 with "encrypt" in a loop device, for tests of the real tool.
 *
 * All mounts are in a mount namespace of this process: however it ends they go with it, and so do
 * the loop devices (autoclear) and the files, which are in a tmpfs.
 */
#pragma once

#include "support.h"

#include "integrity/fscrypt.h"

/* /mnt is always there; in our namespace it is a tmpfs. */
#define FOLDER    "/mnt"
#define MOUNT     FOLDER "/encrypt"
#define DIRECTORY MOUNT "/secrets"
#define WITHOUT   FOLDER "/without" /* an ext4 without "encrypt" */
#define CUT       FOLDER "/cut"     /* nothing is mounted there yet */

struct world {
	struct secret fek;
	uint8_t identifier[FSCRYPT_IDENTIFIER_SIZE];
	struct failure f;
	char *path; /* PATH as it was */
};

/* For cmocka: *state is a struct world. */
int world_make(void **state);
int world_end(void **state);

/* A fresh filesystem at MOUNT with DIRECTORY, empty; or that also set up and encrypted, and
 * unlocked. PATH is as it was after world_unmount(). */
int world_mount(void **state);
int world_mount_encrypted(void **state);
int world_unmount(void **state);

/* A script that must succeed. */
void world_shell(const char *script);

/* The tool is this script from here on: first in PATH. */
void world_replace_tool(const struct world *w, const char *script);

/* Set a policy by hand, under a key that nobody has added (v1) or that is added here (v2). */
void world_set_policy(const char *path, unsigned version, uint8_t filenames);

enum fscrypt_state world_state_of(struct world *w, const char *path);

/* A call with w->f that must succeed, or fail just so. */
void must(const struct world *w, int rc);
void assert_failed(const struct world *w, int rc, int code, enum integrity_cause cause,
		   const char *part);
