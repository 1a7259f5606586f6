/* SPDX-License-Identifier: GPL-3.0-or-later */
/* message_private.h - for message_decode.c and message_decode_tpm.c, which has what is read of a
 * TPM: proof, credential, attestation.
 *
 * Each reads members of an object that has no others than its type; -EBADMSG, -ENOMEM. What it has
 * allocated is freed by message_release(), also when it fails.
 */
#pragma once

#include <cjson/cJSON.h>

#include "onboarding/message.h"

int message_read_proof(struct message *m, const cJSON *json, struct err *err);
int message_read_credential(struct message *m, const cJSON *json, struct err *err);
int message_read_attestation(struct message *m, const cJSON *json, struct err *err);

/* min to max bytes, as base64 in text, which is the value of member. */
int message_read_base64(const char *text, const char *member, uint8_t *ret, size_t min, size_t max,
			size_t *ret_size, struct err *err);
