/* SPDX-License-Identifier: GPL-3.0-or-later */
/* registry_pin.h - the pin: the key by which a node is recognized, once it is enrolled. */
#pragma once

#include <stdint.h>

#include "base/span.h"

#define REGISTRY_DIGEST_SIZE 32 /* SHA-256 */

enum registry_pin_kind {
	REGISTRY_PIN_NONE,            /* the node is not enrolled */
	REGISTRY_PIN_SSH_KEY,         /* psk-only */
	REGISTRY_PIN_CERTIFICATE,     /* weak, and strong without an endorsement key */
	REGISTRY_PIN_ENDORSEMENT_KEY, /* strong, where the node has one configured */
};

struct registry_pin {
	enum registry_pin_kind kind;
	/* SHA-256 of the SSH key's blob, else of the DER SubjectPublicKeyInfo. */
	uint8_t digest[REGISTRY_DIGEST_SIZE];
};

const char *registry_pin_kind_name(enum registry_pin_kind kind);
/* The kind of a name that this program wrote; any other name counts as an SSH key. */
enum registry_pin_kind registry_pin_kind_from_name(const char *name);

void registry_digest(struct span bytes, uint8_t ret[REGISTRY_DIGEST_SIZE]);
