/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "stewardctl/format.h"

#include <stdio.h>
#include <time.h>

#include "base/macros.h"

const char *format_bytes(char ret[FORMAT_SIZE], double bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned unit = 0;

	while (bytes >= 1024 && unit + 1 < N_ELEMENTS(units)) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(ret, FORMAT_SIZE, "%.*f %s",
		       unit == 0    ? 0
		       : bytes < 10 ? 2
				    : 1,
		       bytes, units[unit]);
	return ret;
}

const char *format_rate(char ret[FORMAT_SIZE], double bytes)
{
	char amount[FORMAT_SIZE];

	(void)snprintf(ret, FORMAT_SIZE, "%.28s/s", format_bytes(amount, bytes));
	return ret;
}

const char *format_duration(char ret[FORMAT_SIZE], int64_t seconds)
{
	if (seconds >= 86400)
		(void)snprintf(ret, FORMAT_SIZE, "%lldd %02lldh", (long long)seconds / 86400,
			       (long long)seconds / 3600 % 24);
	else if (seconds >= 3600)
		(void)snprintf(ret, FORMAT_SIZE, "%lldh %02lldm", (long long)seconds / 3600,
			       (long long)seconds / 60 % 60);
	else if (seconds >= 60)
		(void)snprintf(ret, FORMAT_SIZE, "%lldm %02llds", (long long)seconds / 60,
			       (long long)seconds % 60);
	else
		(void)snprintf(ret, FORMAT_SIZE, "%llds", (long long)seconds);
	return ret;
}

const char *format_clock(char ret[FORMAT_SIZE], int64_t unix_s)
{
	time_t at = (time_t)unix_s;
	struct tm utc;

	if (!gmtime_r(&at, &utc) || strftime(ret, FORMAT_SIZE, "%H:%M:%S", &utc) == 0)
		(void)snprintf(ret, FORMAT_SIZE, "?");
	return ret;
}

const char *format_date(char ret[FORMAT_SIZE], int64_t unix_s)
{
	time_t at = (time_t)unix_s;
	struct tm utc;

	if (!gmtime_r(&at, &utc) || strftime(ret, FORMAT_SIZE, "%Y-%m-%d %H:%M UTC", &utc) == 0)
		(void)snprintf(ret, FORMAT_SIZE, "?");
	return ret;
}
