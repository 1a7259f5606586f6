/* SPDX-License-Identifier: GPL-3.0-or-later */
/* old_ports.h - does a program on this machine listen on port 4505 or 4506?
 *
 * Routers that onboard do not use these ports; open ports that nobody needs are a risk. The
 * operator closes them.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* The command has a table of its own, since a machine without a firewall has none: Debian's comes
 * only with nftables.service. It lasts until the next boot. */
#define OLD_PORTS_COMMAND                                                                          \
	"nft 'table inet old_ports { chain input { type filter hook input priority 0; "            \
	"tcp dport { 4505, 4506 } drop; }; }'"

/* In one table of the kernel, in the form of /proc/net/tcp and tcp6. */
bool old_ports_in_table(FILE *table);
/* In this network namespace. */
bool old_ports_listen(void);
