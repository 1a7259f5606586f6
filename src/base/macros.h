/* SPDX-License-Identifier: GPL-3.0-or-later */
/* macros.h - the few things C11 should have had.
 *
 * _cleanup_(f) calls f with the variable's address when it goes out of scope. Destructors
 * used so take NULL and zeroed objects.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

#define container_of(pointer, type, member) ((type *)((uintptr_t)(pointer)-offsetof(type, member)))

#ifndef MIN /* sys/param.h has these, and brings I/O along */
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
