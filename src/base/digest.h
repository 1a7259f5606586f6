/* SPDX-License-Identifier: GPL-3.0-or-later */
/* digest.h - SHA-256's size: of an image, of each of its pieces, of what identifies it.
 */
#pragma once

#define DIGEST_SIZE 32 /* bytes; FIPS 180-4 */
