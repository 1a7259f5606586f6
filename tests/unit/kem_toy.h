/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kem_toy.h - ML-KEM for tests where libcrypto has none, so that what is built on it is tested
 * there, too; and none where it has.
 *
 * The toy keeps the contract of base/kem.h and no secret: it hashes. Where libcrypto has ML-KEM,
 * that one is used.
 */
#pragma once

enum kem_toy { KEM_AS_IT_IS, KEM_THERE, KEM_MISSING };

/* From here on, for the whole program. KEM_AS_IT_IS at its start. */
void kem_toy_set(enum kem_toy how);
