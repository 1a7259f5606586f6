/* message_private.h - what the files of message share.
 */
#pragma once

#include <cjson/cJSON.h>

#include "onboarding/message.h"

/* base64 of min to max bytes into ret. member is for the error's message. */
int message_decode_bytes(const char *text, const char *member, uint8_t *ret, size_t min, size_t max,
			 size_t *ret_size, struct err *err);

int message_read_accept(struct message *m, const cJSON *json, struct err *err);
