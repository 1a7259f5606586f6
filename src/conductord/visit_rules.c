/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "conductord/visit_rules.h"

enum visit_next visit_judge(int status, unsigned calls)
{
	if (status == 0)
		return calls < VISIT_SOON_MAX ? VISIT_AGAIN : VISIT_LET_GO;
	if (status < 300)
		return VISIT_DONE;
	return status == 409 || status >= 500 ? VISIT_AGAIN : VISIT_REFUSED;
}

uint64_t visit_wait_ms(unsigned calls)
{
	return calls < VISIT_SOON_MAX ? VISIT_SOON_MS : VISIT_LATER_MS;
}
