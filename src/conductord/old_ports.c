/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/old_ports.h"

#include <stdlib.h>

#include "base/macros.h"

#define STATE_LISTEN 0x0a /* TCP_LISTEN of the kernel's include/net/tcp_states.h */

/* "  0: 0100007F:1199 00000000:0000 0A ..."; the first line is a heading. */
static bool is_old_port(const char *line)
{
	char port[5];
	char state[3];
	unsigned long number;

	if (sscanf(line, " %*[0-9]: %*[0-9A-Fa-f]:%4s %*s %2s", port, state) != 2)
		return false;
	number = strtoul(port, NULL, 16);
	return strtoul(state, NULL, 16) == STATE_LISTEN && (number == 4505 || number == 4506);
}

bool old_ports_in_table(FILE *table)
{
	char line[512];

	while (fgets(line, sizeof(line), table))
		if (is_old_port(line))
			return true;
	return false;
}

bool old_ports_listen(void)
{
	static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
	bool found = false;

	for (size_t i = 0; i < N_ELEMENTS(tables) && !found; i++) {
		FILE *table = fopen(tables[i], "re");

		if (!table)
			continue;
		found = old_ports_in_table(table);
		(void)fclose(table);
	}
	return found;
}
