/* old_ports.h - does anything on this machine listen on 4505 or 4506?
 *
 * Routers that come by onboarding do not use them; left open, they are for whoever finds them.
 * Closing them is the operator's step.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* With a table of its own, since there is no other on a machine without a firewall: Debian's only
 * comes with nftables.service. Until the next boot. */
#define OLD_PORTS_COMMAND                                                                          \
	"nft 'table inet old_ports { chain input { type filter hook input priority 0; "            \
	"tcp dport { 4505, 4506 } drop; }; }'"

/* In one table of the kernel's, as /proc/net/tcp and tcp6 have it. */
bool old_ports_in_table(FILE *table);
/* In this network namespace. */
bool old_ports_listen(void);
