/* handler.h - Configuration Integrity in early boot, and by hand.
 *
 * In its unit (NOTIFY_SOCKET is set) the handler stays `activating` until the directories are open:
 * on an integrity event it tells, waits 10 s, and tries again, for ever, with the configuration of
 * then. A unit that failed and was restarted would leave the network managers that require it
 * inactive. It ends only for a configuration that is missing or refused, which a person has to
 * correct: what requires it does not start then. By hand it tries once.
 */
#pragma once

#include <stdbool.h>

#include "config/config.h"

#define HANDLER_RETRY_S 10

/* A TPM that is not there is told of as one that is waited for at first: drivers come late. */
#define HANDLER_PATIENCE_S 60

/* Both return what the process exits with: 0, 1 for an integrity event or a request that was
 * refused, EX_CONFIG, EX_USAGE. */
int handler_unlock(const char *config_path, bool once);

/* request: "enable", "zeroize", "reseal" or "show". */
int handler_request(const char *config_path, const char *request);
