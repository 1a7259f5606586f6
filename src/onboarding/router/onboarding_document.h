/* SPDX-License-Identifier: GPL-3.0-or-later */
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

/* Fills ret: HANDSHAKING, with hosts, token and jti. The caller releases it. minimum_mode is used
 * if the document has none. -EINVAL and the errors of token_parse() say what is wrong. */
int onboarding_document_read(struct onboarding_record *ret, struct span document,
			     enum onboarding_mode minimum_mode, struct err *err);

/* The name in a file of the kernel, white space at its end removed. false: it has no name that a
 * router may have, and ret is unchanged. */
bool onboarding_document_name_from_file(const char *path, char ret[TOKEN_NAME_SIZE]);
