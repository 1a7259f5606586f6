/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unlock.h - open the directories of a record with the key that only this TPM releases.
 *
 *	locate  the record; what it says of the directories must hash to the pin
 *	unseal  the wrapping key's Name must be the record's; decrypt the FEK
 *	pass    it to the kernel, or to fscrypt where its metadata are not as expected
 *	unlock  every directory, checked before and after
 *
 * Where all directories hold the pinned policies and their keys are present, locating is all.
 * Directories that the configuration names and the record does not are taken in then (add.h).
 * A failure leaves locked what was locked.
 */
#pragma once

#include "base/settings.h"
#include "integrity/unseal.h"

struct unlock_task {
	const struct config_integrity *config;
	const struct seal_record *record;
	const struct unlock_check *check; /* NULL = it has passed */
};

/* *ret_already: they were open before. f->step and f->cause say where and why it failed. */
int unlock_directories(const struct unlock_task *task, bool *ret_already, struct unlock_by *ret_by,
		       struct failure *f);
