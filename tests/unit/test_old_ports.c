/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The kernel's tables of sockets: who listens on 4505 or 4506. */
#include "support.h"

#include "base/macros.h"
#include "conductord/old_ports.h"

#define HEADING                                                                                    \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
#define REST " 00000000:00000000 00:00000000 00000000     0        0 7137 1 0000 100 0 0 10 0\n"
#define V6   "00000000000000000000000000000000"

static void test_tables(void **state)
{
	static const struct {
		const char *table;
		bool found;
	} rows[] = {
		{"", false},
		{HEADING, false},
		{HEADING "   0: 0100007F:0016 00000000:0000 0A" REST, false}, /* ssh */
		{HEADING "   0: 00000000:1199 00000000:0000 0A" REST, true},  /* 4505 */
		{HEADING "   0: 00000000:0016 00000000:0000 0A" REST
			 " 123: 0100007F:119A 00000000:0000 0A" REST,
		 true}, /* 4506, in the second line */
		{HEADING "   0: 0100007F:1199 0200007F:C001 01" REST, false}, /* connected */
		{HEADING "   0: 0100007F:C001 0200007F:1199 01" REST, false}, /* a client of one */
		{HEADING "   0: " V6 ":1199 " V6 ":0000 0A" REST, true},
		{HEADING "   0: " V6 ":119B " V6 ":0000 0A" REST, false},
		{"nonsense\n\n:::1199 0A\n", false},
	};

	(void)state;
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		char copy[1024];
		FILE *table;

		(void)snprintf(copy, sizeof(copy), "%s\n", rows[i].table);
		table = fmemopen(copy, strlen(copy), "r");
		assert_non_null(table);
		if (old_ports_in_table(table) != rows[i].found)
			fail_msg("row %u", i);
		(void)fclose(table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
