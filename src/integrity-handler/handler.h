/* SPDX-License-Identifier: GPL-3.0-or-later */
/* handler.h - Configuration Integrity in early boot, and by hand.
 *
 * In its unit (NOTIFY_SOCKET is set) the handler stays `activating` until the directories are
 * open. On an integrity event it shows the message, waits 10 s, reads the configuration again,
 * and tries again, for ever. (If the unit failed and was restarted, the network managers that
 * require it would stay inactive.) It ends only for a configuration that is missing or refused,
 * which a person has to correct; units that require it do not start then. By hand it tries once.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"

#define HANDLER_RETRY_S 10

/* For so long a TPM that is not there is only waited for, since drivers come late. */
#define HANDLER_PATIENCE_S 60

/* Both return the exit status: 0; 1 for an integrity event or a refused request; EX_CONFIG;
 * EX_USAGE. */
int handler_unlock(const char *config_path, bool once);

/* request: "enable", "migrate", "reseal", "recover", "zeroize" or "show". */
int handler_request(const char *config_path, const char *request);
