/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductor/registry/registry_pin.h"

#include <openssl/sha.h>
#include <string.h>

static const char *const kind_names[] = {
	[REGISTRY_PIN_NONE] = "none",
	[REGISTRY_PIN_SSH_KEY] = "ssh-key",
	[REGISTRY_PIN_CERTIFICATE] = "certificate",
	[REGISTRY_PIN_ENDORSEMENT_KEY] = "endorsement-key",
};

const char *registry_pin_kind_name(enum registry_pin_kind kind)
{
	return kind_names[kind];
}

enum registry_pin_kind registry_pin_kind_from_name(const char *name)
{
	if (strcmp(name, kind_names[REGISTRY_PIN_CERTIFICATE]) == 0)
		return REGISTRY_PIN_CERTIFICATE;
	if (strcmp(name, kind_names[REGISTRY_PIN_ENDORSEMENT_KEY]) == 0)
		return REGISTRY_PIN_ENDORSEMENT_KEY;
	return REGISTRY_PIN_SSH_KEY;
}

void registry_digest(struct span bytes, uint8_t ret[REGISTRY_DIGEST_SIZE])
{
	(void)SHA256(bytes.bytes, bytes.size, ret);
}
