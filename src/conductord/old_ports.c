#include "conductord/old_ports.h"

#include "core/macros.h"

#define STATE_LISTEN 0x0a /* TCP_LISTEN of the kernel's include/net/tcp_states.h */

bool old_ports_in_table(FILE *table)
{
	char line[512];
	unsigned port;
	unsigned state;

	/* "  0: 0100007F:1199 00000000:0000 0A ..."; the first line is a heading. */
	while (fgets(line, sizeof(line), table))
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %2x", &port, &state) ==
			    2 &&
		    state == STATE_LISTEN && (port == 4505 || port == 4506))
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
