/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key_exchange.h - by what the keys of a handshake were exchanged: the group of TLS, and ML-KEM in
 * the messages where both sides have it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define KEY_EXCHANGE_SIZE 32

/* "p-256+ml-kem-768", or "p-256". group: tls_channel_group(). */
void key_exchange_name(char ret[KEY_EXCHANGE_SIZE], const char *group, bool has_kem);

/* Why there is no ML-KEM in a handshake that requires it, and what to do: -EACCES. us, peer: "the
 * router" ...; version: of the messages; we_have: have we ML-KEM? */
int key_exchange_refuse(const char *us, const char *peer, const char *group, unsigned version,
			bool we_have, struct err *err);
