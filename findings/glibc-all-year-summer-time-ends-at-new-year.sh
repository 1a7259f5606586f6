#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# glibc 2.36 (Debian 12): a rule that keeps summer time all the year, in the form that RFC 9636 (3.3.1)
# gives for it, shows standard time for some hours after each New Year of UTC.
#
# "XXX3EDT4,0/0,J365/23": summer time, four hours behind UTC, from the beginning of day 0 until 23:00 of
# 31 December, which is the moment when the next year's begins. So it never ends. glibc takes the rule of
# the year that it is in UTC, in which summer time has not begun yet, and from 00:00 to 03:00 UTC of 1 January
# says three hours behind. A zone file whose last line is such a rule means it, too. Seen:
#
#	1767225599 -0400
#	1767225600 -0300
#	1767236399 -0300
#	1767236400 -0400
#
# Expected is -0400 in all of them. Exit 1, and "changed", once that is no longer so. Runs on Debian 12;
# installs nothing.
set -eu
[ -z "${CI:-}" ] || { echo "not run in CI: it downloads packages"; exit 0; }
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "not run: this is not Debian 12"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download libc6=2.36-9+deb12u14 coreutils=9.1-1 >&2
for package in ./*.deb; do
	dpkg -x "$package" root
done
library=root/lib/x86_64-linux-gnu
for moment in 1767225599 1767225600 1767236399 1767236400; do
	printf '%s ' "$moment"
	TZ='XXX3EDT4,0/0,J365/23' "$library/ld-linux-x86-64.so.2" --library-path "$library" \
		root/bin/date -d "@$moment" '+%z'
done >said
cat said
printf '%s\n' '1767225599 -0400' '1767225600 -0300' '1767236399 -0300' '1767236400 -0400' |
	cmp -s - said || { echo changed; exit 1; }
