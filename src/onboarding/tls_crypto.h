/* tls_crypto.h - what libcrypto computes for wolfSSL, by way of its crypto callbacks.
 *
 * Debian's wolfSSL is portable C without assembly. On one core of the development machine a key
 * exchange by its X25519 takes 95 µs, and by libcrypto's P-256, both halves, 60 µs; X25519 itself
 * has no such callback in wolfSSL's TLS 1.3. Random numbers come from libcrypto's DRBG, which needs
 * no system call for a connection's seed.
 */
#pragma once

/* wolfSSL's name for it: of a context, and so of its channels. Any number no other device has. */
#define TLS_CRYPTO_DEVICE 0x5C0

/* Tell wolfSSL of it: once, before it is used and after wolfSSL_Init(). 0 or -EIO. */
int tls_crypto_register(void);
