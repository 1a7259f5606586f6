/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "onboarding/frame.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

/* Which MAC a message of this type has; false = none. */
static bool mac_of(enum message_type type, enum transcript_mac *ret)
{
	switch (type) {
	case MESSAGE_PROOF:
		*ret = TRANSCRIPT_R1;
		return true;
	case MESSAGE_ATTESTATION:
		*ret = TRANSCRIPT_T1;
		return true;
	case MESSAGE_ACCEPT:
		*ret = TRANSCRIPT_C1;
		return true;
	case MESSAGE_KEYS:
		*ret = TRANSCRIPT_R2;
		return true;
	case MESSAGE_DONE:
		*ret = TRANSCRIPT_C2;
		return true;
	case MESSAGE_HELLO:
	case MESSAGE_CHALLENGE:
	case MESSAGE_CREDENTIAL:
	case MESSAGE_ERROR:
		break;
	}
	return false;
}

static int compose(struct frame *ret, struct span json, const uint8_t *mac)
{
	size_t mac_size = mac ? TRANSCRIPT_SIZE : 0;
	uint8_t *bytes = malloc(4 + json.size + mac_size);

	if (!bytes)
		return -ENOMEM;
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(json.size >> (24 - 8 * i));
	memcpy(bytes + 4, json.bytes, json.size);
	if (mac)
		memcpy(bytes + 4 + json.size, mac, mac_size);
	*ret = (struct frame){.bytes = bytes, .size = 4 + json.size + mac_size};
	return 0;
}

int frame_write(struct frame *ret, struct transcript *t, const struct message *message,
		struct err *err)
{
	enum transcript_mac which;
	bool with_mac = mac_of(message->type, &which);
	uint8_t mac[TRANSCRIPT_SIZE];
	char *json = NULL;
	int rc = message_encode(message, &json, err);

	if (rc < 0)
		return rc;
	rc = transcript_add(t, span_of_string(json));
	if (rc == 0 && with_mac)
		rc = transcript_make_mac(t, which, mac);
	if (rc == 0)
		rc = compose(ret, span_of_string(json), with_mac ? mac : NULL);
	free(json);
	return rc < 0 ? err_set(err, rc, "%s: out of memory", message_type_name(message->type)) : 0;
}

void frame_release(struct frame *frame)
{
	free(frame->bytes);
	memset(frame, 0, sizeof(*frame));
}

static int cut_json(struct span received, struct span *ret, struct err *err)
{
	size_t size = 0;

	if (received.size < 4)
		return -EAGAIN;
	for (unsigned i = 0; i < 4; i++)
		size = size << 8 | received.bytes[i];
	if (size > MESSAGE_JSON_MAX)
		return err_set(err, -E2BIG, "message of %zu bytes, expected at most %u", size,
			       MESSAGE_JSON_MAX);
	if (received.size - 4 < size)
		return -EAGAIN;
	*ret = span_of(received.bytes + 4, size);
	return 0;
}

/* Nothing may follow the message, because the peer has to wait for its answer. */
static int cut_mac(struct span received, struct span json, size_t mac_size, struct span *ret,
		   struct err *err)
{
	size_t rest = received.size - 4 - json.size;

	if (rest < mac_size)
		return -EAGAIN;
	if (rest > mac_size)
		return err_set(err, -EBADMSG, "%zu bytes after the message", rest - mac_size);
	*ret = span_of(json.bytes + json.size, mac_size);
	return 0;
}

static int accept_frame(struct transcript *t, struct span json, struct span mac,
			enum transcript_mac which, struct err *err)
{
	int rc = transcript_add(t, json);

	if (rc == 0 && mac.size > 0)
		rc = transcript_check_mac(t, which, mac);
	if (rc == -EKEYREJECTED)
		return err_set(
			err, rc,
			"wrong MAC %s: the peer has another secret, or something was changed on "
			"its way",
			transcript_mac_name(which));
	return rc < 0 ? err_set(err, rc, "out of memory") : 0;
}

int frame_read(struct message *ret, struct transcript *t, enum message_type expected,
	       struct span received, struct err *err)
{
	_cleanup_(message_release) struct message m = {0};
	enum transcript_mac which = TRANSCRIPT_R1;
	struct span json;
	struct span mac;
	int rc = cut_json(received, &json, err);

	if (rc == 0)
		rc = message_decode(&m, json, err);
	if (rc < 0)
		return rc;
	if (m.type != expected && m.type != MESSAGE_ERROR)
		return err_set(err, -EPROTO, "%s out of turn, expected %s",
			       message_type_name(m.type), message_type_name(expected));
	rc = cut_mac(received, json, mac_of(m.type, &which) ? TRANSCRIPT_SIZE : 0, &mac, err);
	if (rc == 0)
		rc = accept_frame(t, json, mac, which, err);
	if (rc < 0)
		return rc;
	*ret = m;
	memset(&m, 0, sizeof(m));
	return 0;
}
