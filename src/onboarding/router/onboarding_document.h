/* onboarding_document.h - an onboarding configuration, as an operator or a cloud redirect gives it:
 *
 *	{ "mode":"conductor-managed", "name":"router1", "conductor-hosts":["192.0.2.1"],
 *	  "secure-conductor-onboarding-token":"eyJ...", "minimum-mode":"strong" }
 *
 * A name not given is the serial number (DMI), else the hostname, else the UUID (DMI). Pure but for
 * that.
 */
#pragma once

#include "onboarding/router/onboarding_record.h"

#define ONBOARDING_DOCUMENT_MAX (128u << 10) /* bytes */

/* What there is to try: HANDSHAKING, with hosts, token and jti. The caller releases it.
 * minimum_mode: where the document has none. -EINVAL and those of token_parse(): what is wrong. */
int onboarding_document_read(struct onboarding_record *ret, struct span document,
			     enum onboarding_mode minimum_mode, struct err *err);

/* The name that a file of the kernel's holds, white space at its end left out. false: it has none
 * that a router can have, and ret is as it was. */
bool onboarding_document_name_from_file(const char *path, char ret[TOKEN_NAME_SIZE]);

/* Its conductor-hosts, which the record has under the same name. */
int onboarding_document_read_hosts(const cJSON *json, struct onboarding_record *ret,
				   struct err *err);
