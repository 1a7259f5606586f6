/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A message of the handshake, as JSON and in its frame: what is taken is written the same again. */
#include "fuzz.h"

#include <errno.h>

#include "onboarding/frame.h"

static void write_again(const struct message *m)
{
	struct message again = {0};
	char *json = NULL;
	char *second = NULL;
	struct err err;

	HOLDS(message_encode(m, &json, &err) == 0);
	HOLDS(message_decode(&again, span_of_string(json), &err) == 0);
	HOLDS(message_encode(&again, &second, &err) == 0);
	HOLDS(strcmp(json, second) == 0);
	message_release(&again);
	free(json);
	free(second);
}

static void read_frame(struct span received, enum message_type expected)
{
	static const uint8_t exporter[TRANSCRIPT_SIZE];
	struct transcript t;
	struct message m = {.type = MESSAGE_DONE};
	struct err err;

	HOLDS(transcript_begin(&t, exporter, span_of(NULL, 0), span_of(NULL, 0)) == 0);
	HOLDS(transcript_set_secret(&t, span_of_string("secret")) == 0);
	HOLDS(transcript_set_tpm_secret(&t, span_of_string("secret")) == 0);
	if (frame_read(&m, &t, expected, received, &err) == 0)
		HOLDS(m.type == expected || m.type == MESSAGE_ERROR);
	else
		HOLDS(m.type == MESSAGE_DONE);
	message_release(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct message m = {.type = MESSAGE_DONE};
	uint8_t frame[FRAME_SIZE_MAX] = {0};
	struct err err;

	if (message_decode(&m, span_of(bytes, size), &err) == 0)
		write_again(&m);
	else
		HOLDS(m.type == MESSAGE_DONE);
	message_release(&m);
	if (size > 0)
		read_frame(span_of(bytes + 1, size - 1), (enum message_type)(bytes[0] % 8));
	if (size > MESSAGE_JSON_MAX)
		return 0;
	frame[2] = (uint8_t)(size >> 8);
	frame[3] = (uint8_t)size;
	memcpy(frame + 4, bytes, size);
	for (enum message_type type = MESSAGE_HELLO; type < MESSAGE_ERROR; type++)
		read_frame(span_of(frame, 4 + size), type);
	return 0;
}
