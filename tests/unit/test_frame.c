/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Frames: what one side writes the other reads, in its turn, whole and unchanged, or refuses. */
#include "sample_message.h"
#include "support.h"

#include "base/macros.h"
#include "onboarding/frame.h"

#define N_TYPES (MESSAGE_ERROR + 1)

static struct transcript begin(void)
{
	static const uint8_t exporter[32] = {1};
	static const char secret[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV";
	struct transcript t;

	assert_int_equal(
		transcript_begin(&t, exporter, span_of_string("server"), span_of_string("client")),
		0);
	assert_int_equal(transcript_set_secret(&t, span_of_string(secret)), 0);
	assert_int_equal(transcript_set_tpm_secret(&t, span_of(exporter, 32)), 0);
	return t;
}

static struct frame write_frame(struct transcript *t, enum message_type type)
{
	struct message m = sample_message(type);
	struct frame frame = {0};
	struct err err = {0};

	if (frame_write(&frame, t, &m, &err) < 0)
		fail_msg("%s", err.text);
	message_release(&m);
	return frame;
}

static bool has_mac(enum message_type type)
{
	return type == MESSAGE_PROOF || type == MESSAGE_ATTESTATION || type == MESSAGE_ACCEPT ||
	       type == MESSAGE_KEYS || type == MESSAGE_DONE;
}

static void test_whole_conversation(void **state)
{
	struct transcript ours = begin();
	struct transcript theirs = begin();

	(void)state;
	for (enum message_type type = 0; type < N_TYPES; type++) {
		struct frame frame = write_frame(&ours, type);
		struct message m;
		struct err err = {0};
		size_t json_size = (size_t)frame.bytes[2] << 8 | frame.bytes[3];

		assert_int_equal(frame.size, 4 + json_size + (has_mac(type) ? 32 : 0));
		for (size_t n = 0; n < frame.size; n++) /* byte by byte */
			assert_int_equal(
				frame_read(&m, &theirs, type, span_of(frame.bytes, n), &err),
				-EAGAIN);
		if (frame_read(&m, &theirs, type, span_of(frame.bytes, frame.size), &err) < 0)
			fail_msg("%s", err.text);
		assert_int_equal(m.type, type);
		assert_memory_equal(ours.hash, theirs.hash, 32);
		message_release(&m);
		frame_release(&frame);
	}
}

static int read_as(enum message_type type, struct span received, struct err *err)
{
	struct transcript t = begin();
	struct message m = {.type = MESSAGE_HELLO};
	int rc = frame_read(&m, &t, type, received, err);

	message_release(&m);
	return rc;
}

static void test_refused(void **state)
{
	static const uint8_t zeros[FRAME_SIZE_MAX] = {0, 0, 0x40, 0x01};
	struct err err = {0};

	(void)state;
	assert_int_equal(read_as(MESSAGE_HELLO, span_of(zeros, 4), &err), -E2BIG);
	assert_contains(err.text, "message of 16385 bytes, expected at most 16384");
	assert_int_equal(read_as(MESSAGE_HELLO, span_of("\xff\xff\xff\xff", 4), &err), -E2BIG);
	assert_int_equal(read_as(MESSAGE_HELLO, span_of("\0\0\0\0", 4), &err), -EBADMSG);
	assert_int_equal(read_as(MESSAGE_HELLO, span_of("\x16\x03\x01\x02", 4), &err), -E2BIG);
	for (enum message_type type = 0; type < N_TYPES; type++) {
		struct transcript t = begin();
		struct frame frame = write_frame(&t, type);
		uint8_t longer[FRAME_SIZE_MAX];

		assert_int_equal(read_as(type, span_of(frame.bytes, frame.size), &err), 0);
		memcpy(longer, frame.bytes, frame.size);
		longer[frame.size] = 0;
		assert_int_equal(read_as(type, span_of(longer, frame.size + 1), &err), -EBADMSG);
		assert_contains(err.text, "1 bytes after the message");
		memcpy(longer + frame.size, frame.bytes, frame.size); /* doubled */
		assert_int_equal(read_as(type, span_of(longer, 2 * frame.size), &err), -EBADMSG);
		if (has_mac(type)) {
			frame.bytes[frame.size - 1] ^= 1;
			assert_int_equal(read_as(type, span_of(frame.bytes, frame.size), &err),
					 -EKEYREJECTED);
			assert_contains(err.text, "wrong MAC");
		}
		frame_release(&frame);
	}
}

/* Every type in every turn but its own. */
static void test_out_of_turn(void **state)
{
	(void)state;
	for (enum message_type type = 0; type < MESSAGE_ERROR; type++)
		for (enum message_type expected = 0; expected < MESSAGE_ERROR; expected++) {
			struct transcript t = begin();
			struct frame frame = write_frame(&t, type);
			struct err err = {0};
			int rc = read_as(expected, span_of(frame.bytes, frame.size), &err);

			assert_int_equal(rc, type == expected ? 0 : -EPROTO);
			if (rc < 0)
				assert_contains(err.text, "out of turn, expected");
			frame_release(&frame);
		}
}

/* An error may come instead of anything, and is told apart. */
static void test_error_instead(void **state)
{
	struct transcript t = begin();
	struct frame frame = write_frame(&t, MESSAGE_ERROR);
	struct message m;
	struct err err;

	(void)state;
	assert_int_equal(frame_read(&m, &t, MESSAGE_ACCEPT, span_of(frame.bytes, frame.size), &err),
			 0);
	assert_int_equal(m.type, MESSAGE_ERROR);
	assert_int_equal(m.reason, REASON_RETRY_LATER);
	frame_release(&frame);
}

/* A byte of the JSON that differs is seen by the MAC, where the JSON is still good. */
static void test_changed_in_transit(void **state)
{
	struct transcript t = begin();
	struct frame frame = write_frame(&t, MESSAGE_ACCEPT);
	char *port = memmem(frame.bytes, frame.size, "930", 3);
	struct err err = {0};

	(void)state;
	assert_non_null(port);
	*port = '8';
	assert_int_equal(read_as(MESSAGE_ACCEPT, span_of(frame.bytes, frame.size), &err),
			 -EKEYREJECTED);
	assert_contains(err.text, "wrong MAC c1");
	frame_release(&frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_conversation), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_out_of_turn),        cmocka_unit_test(test_error_instead),
		cmocka_unit_test(test_changed_in_transit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
