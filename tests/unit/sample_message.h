/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sample_message.h - one good message of each type.
 */
#pragma once

#include "onboarding/message.h"

/* To be released. An error says retry-later. */
struct message sample_message(enum message_type type);

/* An ssh-ed25519 key blob whose key bytes are all `fill`. */
void sample_ssh_key(uint8_t ret[SSH_KEY_ED25519_SIZE], uint8_t fill);

/* Decoding json, of size bytes, fails with reason in its text, and gives no message. */
void assert_message_refused(const char *json, size_t size, const char *reason);
