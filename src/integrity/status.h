/* status.h - how the encrypted directories stand, without asking the TPM: for `show
 * configuration-integrity` and GET /v1/integrity.
 *
 *	{"state":"unlocked","reason":null,
 *	 "directories":[{"path":"/etc/steward/secrets","state":"unlocked","key-identifier":"…"}],
 *	 "key-handle":"0x81010128","key-name":"…","ek-name":"…","nv-index":"0x01800128",
 *	 "pcr-bank":"sha256","pcr":[7],"record":"/etc/steward/integrity/record.json"}
 *
 * state: off, unsupported, unlocked, or locked when a directory's key has gone meanwhile. Members
 * of the record are null where there is none.
 */
#pragma once

#include <cjson/cJSON.h>

#include "integrity/integrity.h"

/* before: what integrity_unlock() found; NULL = it is not known. Freed by the caller. */
cJSON *integrity_status(const struct config_integrity *config, const struct integrity *before);
