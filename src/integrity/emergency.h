/* SPDX-License-Identifier: GPL-3.0-or-later */
/* emergency.h - the message that no operator can miss.
 *
 * It is one journal entry of priority EMERG, with STEWARD_STEP, STEWARD_REASON and
 * STEWARD_TPM_RC; journald shows it to users who are logged in. The same text goes to
 * /dev/console and the kernel's other consoles, for somebody who stands before a screen.
 */
#pragma once

#include "integrity/failure.h"

void emergency_tell(const struct failure *f);

/* No event yet: one line on the same consoles, "Steward waits for the encrypted directories: why".
 */
void emergency_note(const char *why);

/* Gettys on the consoles: logins wait for the network otherwise, and recovery needs the console. */
void emergency_start_gettys(void);
