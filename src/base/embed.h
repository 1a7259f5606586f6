/* SPDX-License-Identifier: GPL-3.0-or-later */
/* embed.h - a file as it stands becomes a string of the program.
 *
 *	extern const char yang_model[];    in a header
 *	EMBED_FILE(yang_model, FILE)       in one source file; FILE is a path in quotes
 *
 * The build must know that the source file depends on it (OBJECT_DEPENDS).
 */
#pragma once

#define EMBED_FILE(name, path)                                                                     \
	__asm__(".section .rodata\n"                                                               \
		".global " #name "\n"                                                              \
		".type " #name ", @object\n" #name ":\n"                                           \
		".incbin \"" path "\"\n"                                                           \
		".byte 0\n"                                                                        \
		".size " #name ", . - " #name "\n"                                                 \
		".previous\n")
