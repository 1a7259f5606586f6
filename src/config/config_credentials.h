/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_credentials.h - which files with secrets a conductor may name in a configuration that it
 * sends to a router; for config.c only.
 *
 * Passwords, tokens, keys of S3 and client keys are read as root from the files that a source
 * names, and what is in them is shown to a server that the same source names. So a conductor that
 * was taken could ask for any file. It may name those in `credentials` of the router's
 * secrets-directory, and those that the router's own steward.json names for a source.
 *
 * trusted-key, ca-certificate and client-certificate may be any: of them only what is public is
 * read, and a file that is no PEM is not used. Every other leaf that names a file counts as one
 * with a secret.
 */
#pragma once

#include <libyang/libyang.h>

#include "base/err.h"

#define CONFIG_CREDENTIALS "credentials" /* below secrets-directory */

/* sent: what came. own: steward.json as it is. Both as they were parsed, of a router. Errors:
 * -EINVAL, with path, value and constraint; -ENOMEM. */
int config_check_credentials(const struct lyd_node *sent, const struct lyd_node *own,
			     const char *secrets_directory, struct err *err);

/* A secret itself (config_secrets.h) stands in no file that is not encrypted. -EINVAL. */
int config_check_no_secrets(const struct lyd_node *tree, const char *path, struct err *err);
