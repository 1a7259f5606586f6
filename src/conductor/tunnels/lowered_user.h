/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lowered_user.h - gives up root's privileges for good. */
#pragma once

#include "base/err.h"

/* Make directory if it is missing, give it to user, and become user, without the groups and
 * capabilities of before. A process that is not root stays as it is, and must run as user
 * already. Errors: -ENOENT (no such user), -EPERM, those of the calls. */
int lowered_user_become(const char *user, const char *directory, struct err *err);
