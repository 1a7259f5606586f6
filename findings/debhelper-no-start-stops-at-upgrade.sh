#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# debhelper's dh_installsystemd --no-start stops a unit at each upgrade, and nothing starts it again.
#
# Debian 12's debhelper 13.11.4, compat 13. Its manual says that --restart-after-upgrade is the default
# since compat 10, and --no-start "do not start the unit file after upgrades and after initial
# installation". But --no-start also undoes that default: preinst stops a unit that runs, before the
# upgrade, and postinst has no restart. So a daemon that an operator has started is down after an
# upgrade, until the next boot. Who wants "not started by an installation, restarted by an upgrade if it
# runs" has to give both options. Seen:
#
#	--no-start: stops before the upgrade, does not restart
#	--no-start --restart-after-upgrade: does not stop before the upgrade, restarts if it runs
#
# Exit 1, and "changed", once that is no longer so. Needs perl and dpkg-dev; installs nothing.
set -eu
version=13.11.4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download "debhelper=$version" "libdebhelper-perl=$version" >&2
for package in ./*.deb; do
	dpkg -x "$package" root
done
mkdir -p source/debian
cd source
printf 'Source: some\nMaintainer: Some One <some@one.example>\n' >debian/control
printf 'Build-Depends: debhelper-compat (= 13)\n\nPackage: some\nArchitecture: all\n' >>debian/control
printf 'some (1) unstable; urgency=low\n\n  * x\n\n -- S <s@one.example>  Sun, 01 Jan 2023 00:00:00 +0000\n' \
	>debian/changelog
mkdir -p debian/some/lib/systemd/system
printf '[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' \
	>debian/some/lib/systemd/system/some.service

has() { # script text: in what becomes of it
	find debian -path "*$1*" -type f -exec cat '{}' + | grep -q -- "$2"
}

look() { # options...
	rm -rf debian/some.*.debhelper debian/.debhelper
	PERL5LIB=$folder/root/usr/share/perl5 DH_AUTOSCRIPTDIR=$folder/root/usr/share/debhelper/autoscripts \
		perl "$folder/root/usr/bin/dh_installsystemd" --no-enable "$@"
	before="does not stop before the upgrade"
	after="does not restart"
	! has preinst "deb-systemd-invoke stop" || before="stops before the upgrade"
	! has postinst "try-restart" || after="restarts if it runs"
	echo "$*: $before, $after"
}

{
	look --no-start
	look --no-start --restart-after-upgrade
} | tee said
cat >expected <<'END'
--no-start: stops before the upgrade, does not restart
--no-start --restart-after-upgrade: does not stop before the upgrade, restarts if it runs
END
cmp -s said expected || {
	echo changed
	exit 1
}
