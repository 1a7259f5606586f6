/* lowered_user.h - root's powers, given up for good.
 */
#pragma once

#include "core/err.h"

/* Make directory where it is missing, give it to user, and be user from now on, without a group or
 * capability of before. Who is not root stays who he is, and must be user already.
 * Errors: -ENOENT (no such user), -EPERM, those of the calls. */
int lowered_user_become(const char *user, const char *directory, struct err *err);
