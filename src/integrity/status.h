/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status.h - the state of the encrypted directories, without asking the TPM: for `show
 * configuration-integrity` and GET /v1/integrity.
 *
 *	{"state":"unlocked","reason":null,
 *	 "directories":[{"path":"/etc/steward/secrets","state":"unlocked","key-identifier":"…"}],
 *	 "key-handle":"0x81010128","key-name":"…","ek-name":"…","nv-index":"0x01800128",
 *	 "pcr-bank":"sha256","pcr":[7],"record":"/etc/steward/integrity/record.json"}
 *
 * state: off, unsupported, unlocked, or locked if a directory's key is not in the kernel any
 * more. Members that come from the record are null if there is none.
 */
#pragma once

#include <cjson/cJSON.h>

#include "integrity/integrity.h"

/* before: what integrity_unlock() found; NULL = it is not known. Freed by the caller. */
cJSON *integrity_status(const struct config_integrity *config, const struct integrity *before);
