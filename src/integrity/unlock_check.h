/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unlock_check.h - what is still being found out while the TPM is asked. */
#pragma once

/* May the configuration be used by which the directories are being opened? Nothing is decrypted
 * or written before it has passed. It is asked beside the TPM, and more than once. */
struct unlock_check {
	int (*passes)(void *owner); /* 0, or a negative errno */
	void *owner;
};
