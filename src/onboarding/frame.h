/* frame.h - a message on its way: four bytes of length, its JSON, and the MAC its type has.
 *
 * Writing and reading both add the message to the transcript, so that the two sides cannot
 * forget to. The two speak in turn, one message each: bytes after a whole one are refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/span.h"
#include "onboarding/message.h"
#include "onboarding/transcript.h"

#define FRAME_SIZE_MAX (4u + MESSAGE_JSON_MAX + TRANSCRIPT_SIZE)

struct frame {
	uint8_t *bytes; /* owned; NULL = none */
	size_t size;
};

/* The keys of the MAC must have been set. -E2BIG, -ENOMEM. */
int frame_write(struct frame *ret, struct transcript *t, const struct message *message,
		struct err *err);
void frame_release(struct frame *frame);

/* What was received since the last message; the keys of the expected type's MAC must have been set.
 * *ret is of the expected type, its MAC checked, or an error, which has none. -EAGAIN: it is not
 * all there yet, and err is not filled. Errors: -EBADMSG, -E2BIG (malformed), -EPROTO (out of
 * turn), -EKEYREJECTED (MAC), -ENOMEM. */
int frame_read(struct message *ret, struct transcript *t, enum message_type expected,
	       struct span received, struct err *err);
