/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls_crypto.h - libcrypto computes for wolfSSL, through wolfSSL's crypto callbacks.
 *
 * Debian's wolfSSL is portable C without assembly. On one core of the development machine a key
 * exchange takes 95 µs with wolfSSL's X25519 and 60 µs with libcrypto's P-256, both halves.
 * (wolfSSL's TLS 1.3 has no callback for X25519.) Random numbers come from libcrypto's generator,
 * which needs no system call for each connection.
 */
#pragma once

/* The number by which wolfSSL knows these callbacks, in a context and its channels. Any number
 * that no other device has. */
#define TLS_CRYPTO_DEVICE 0x5C0

/* Registers the callbacks with wolfSSL: once, after wolfSSL_Init() and before they are used. 0 or
 * -EIO. */
int tls_crypto_register(void);
