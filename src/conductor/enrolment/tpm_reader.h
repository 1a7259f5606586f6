/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tpm_reader.h - reads TPM structures (TPM 2.0 Library, Part 2): big-endian, in order.
 *
 * A reader that has run out of bytes stays failed and returns zeros, so that callers check only
 * once, at the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define TPM_ALG_RSA    0x0001u
#define TPM_ALG_AES    0x0006u
#define TPM_ALG_SHA256 0x000bu
#define TPM_ALG_SHA384 0x000cu
#define TPM_ALG_SHA512 0x000du
#define TPM_ALG_NULL   0x0010u
#define TPM_ALG_RSASSA 0x0014u
#define TPM_ALG_ECC    0x0023u
#define TPM_ALG_CFB    0x0043u

struct tpm_reader {
	struct span rest;
	bool failed;
};

/* n bytes; of size 0 where there are not so many. */
struct span tpm_read_bytes(struct tpm_reader *reader, size_t n);
/* Big-endian, of n bytes (at most 8). */
uint64_t tpm_read_uint(struct tpm_reader *reader, size_t n);
/* TPM2B: two bytes of size, and as many. */
struct span tpm_read_sized(struct tpm_reader *reader);

/* All was there, and nothing is left. */
bool tpm_read_all(const struct tpm_reader *reader);
