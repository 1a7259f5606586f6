/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lean_crypto.h - libcrypto as this program needs it, and no more.
 *
 * tss2 makes a library context of libcrypto's for each hash, HMAC and random number. Each takes in
 * all names of libcrypto's legacy tables, looks up all algorithms and seeds generators of its own:
 * most of what an unlock computes. So:
 *
 * - No legacy names: nothing here looks up an algorithm by one.
 * - All of tss2's contexts are one, which lasts until the process ends. For that OSSL_LIB_CTX_new()
 *   and OSSL_LIB_CTX_free() are this program's own; a program's functions come before those of its
 *   libraries. The context is made by the child that speaks with the TPM, and ends with it.
 * - openssl.cnf is not read: a file that names providers and engines must neither keep a machine
 *   from opening nor be part of how it opens.
 */
#pragma once

/* First of all: what libcrypto has set up once stays. */
void lean_crypto_init(void);
