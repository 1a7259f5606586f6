/* SPDX-License-Identifier: GPL-3.0-or-later */
/* packaging/yang/steward.yang, as it stands, zero-terminated. */
#include "config/yang_model.h"

__asm__(".section .rodata\n"
	".global yang_model\n"
	".type yang_model, @object\n"
	"yang_model:\n"
	".incbin \"" YANG_MODEL_FILE "\"\n"
	".byte 0\n"
	".size yang_model, . - yang_model\n"
	".previous\n");
