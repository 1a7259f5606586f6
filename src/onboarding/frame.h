/* SPDX-License-Identifier: GPL-3.0-or-later */
/* frame.h - a message as it is sent: four bytes of length, its JSON, and a MAC if its type has
 * one.
 *
 * Both writing and reading add the message to the transcript, so that no caller can forget to.
 * The two sides speak in turn, one message each: bytes after a whole message are refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
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

/* received: all bytes since the last message. The keys for the MAC of the expected type must have
 * been set. *ret is a message of the expected type whose MAC was checked, or an error message,
 * which has no MAC. -EAGAIN: the message is not complete yet, and err is not filled. Errors:
 * -EBADMSG, -E2BIG (malformed), -EPROTO (another type), -EKEYREJECTED (MAC), -ENOMEM. */
int frame_read(struct message *ret, struct transcript *t, enum message_type expected,
	       struct span received, struct err *err);
