#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# "deb-systemd-helper enable" succeeds and enables nothing, where the same tool has disabled the unit.
#
# Debian 12's init-system-helpers 1.65.2+deb12u1 and systemd: a package's prerm that says "deb-systemd-helper
# disable", and its postinst that says "enable" when it is installed again, leave the unit disabled. What
# "disable" keeps, UNIT.dsh-also, is what "enable" takes for a package that is installed already: it
# notes each link as made, makes none, and says 0. "reenable" makes them, but not once "enable" or
# "update-state" after it has noted them. Seen, each with exit status 0:
#
#	enable, first: link
#	disable: no link
#	enable, again: no link
#	reenable, after that: no link
#	reenable, after disable: link
#
# Exit 1, and "changed", once that is no longer so. Needs perl and systemctl; installs nothing.
set -eu
version=1.65.2+deb12u1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "init-system-helpers=$version" >&2
dpkg -x ./*.deb tool
root=$folder/root

# A machine with one unit, as a package brings it.
machine() {
	rm -rf "$root"
	mkdir -p "$root/lib/systemd/system" "$root/etc/systemd/system" "$root/usr/bin" "$root/usr/lib"
	ln -s ../../lib/systemd "$root/usr/lib/systemd"
	: >"$root/usr/bin/systemctl" # that there is one is all it looks for; the one outside is run
	chmod 755 "$root/usr/bin/systemctl"
	printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
		>"$root/lib/systemd/system/one.service"
}

helper() {
	DPKG_ROOT=$root DPKG_MAINTSCRIPT_PACKAGE=one perl tool/usr/bin/deb-systemd-helper "$1" one.service \
		>>"$folder/said" 2>&1
}

look() { # what was done
	if [ -L "$root/etc/systemd/system/multi-user.target.wants/one.service" ]; then
		echo "$1: link"
	else
		echo "$1: no link"
	fi
}

{
	machine
	helper enable
	look "enable, first"
	helper disable
	look "disable"
	helper enable
	look "enable, again"
	helper reenable
	look "reenable, after that"
	machine
	helper enable
	helper disable
	helper reenable
	look "reenable, after disable"
} | tee seen
cat >expected <<'END'
enable, first: link
disable: no link
enable, again: no link
reenable, after that: no link
reenable, after disable: link
END
if ! cmp -s seen expected; then
	cat said
	echo changed
	exit 1
fi
