/* config_credentials.h - which files with secrets a conductor may name in a configuration that it
 * sends to a router; for config.c only.
 *
 * A password-file, a bearer-token-file, a proxy-password-file and a client-key are read as root,
 * and their content is shown to a server that the same configuration names. So a conductor that
 * an attacker controls could get the content of any file. It may name only files in `credentials`
 * of the router's secrets-directory, and those that the router's own steward.json names for a
 * source.
 *
 * trusted-key, ca-certificate and client-certificate may be any files: only what is public is
 * read from them, and a file that is no PEM is not used.
 */
#pragma once

#include <libyang/libyang.h>

#include "base/err.h"

#define CONFIG_CREDENTIALS "credentials" /* below secrets-directory */

/* sent: what came. own: steward.json as it is. Both as they were parsed, of a router. Errors:
 * -EINVAL, with path, value and constraint; -ENOMEM. */
int config_check_credentials(const struct lyd_node *sent, const struct lyd_node *own,
			     const char *secrets_directory, struct err *err);
