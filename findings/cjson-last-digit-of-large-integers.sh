#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# cJSON 1.7.15 (Debian 12): of some integers that a double holds exactly, the last digit is lost in print.
#
# A number is printed with 15 digits, read back, and printed with 17 where that is not "the same". Two
# numbers count as the same when they differ by no more than the larger one times DBL_EPSILON: by 1 from 2^52
# on, by 2 from 2^53 on. So an integer of 16 digits that ends in 1 or 9 loses its end, above 2^52, although
# RFC 7493 (2.2) has all integers up to 2^53 - 1 as such that peers agree on. Seen:
#
#	4503599627370491 4503599627370491
#	4503599627370501 4.5035996273705e+15
#	9007199254740989 9.00719925474099e+15
#	9007199254740990 9.00719925474099e+15
#	9007199254740991 9.00719925474099e+15
#
# The first column is what was printed by libc. Exit 1, and "changed", once that is no longer so. Runs on
# Debian 12; needs gcc; installs nothing.
set -eu
[ -z "${CI:-}" ] || { echo "not run in CI: it downloads packages"; exit 0; }
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "not run: this is not Debian 12"; exit 0; }
version=1.7.15-1+deb12u4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "libcjson1=$version" "libcjson-dev=$version" >&2
for package in ./*.deb; do
	dpkg -x "$package" root
done
cat >look.c <<'END'
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
	static const double numbers[] = {4503599627370491, 4503599627370501, 9007199254740989,
					 9007199254740990, 9007199254740991};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		cJSON *number = cJSON_CreateNumber(numbers[i]);
		char *text = cJSON_PrintUnformatted(number);

		printf("%.0f %s\n", numbers[i], text);
		free(text);
		cJSON_Delete(number);
	}
	return 0;
}
END
libraries=root/usr/lib/x86_64-linux-gnu
gcc -I root/usr/include look.c -o look -L "$libraries" -lcjson
LD_LIBRARY_PATH="$libraries" ./look >said
cat said
cmp -s said - <<'END' || { echo changed; exit 1; }
4503599627370491 4503599627370491
4503599627370501 4.5035996273705e+15
9007199254740989 9.00719925474099e+15
9007199254740990 9.00719925474099e+15
9007199254740991 9.00719925474099e+15
END
