# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Another release of Debian, in a folder: to be sourced.
#
#   chroot_other                         the release that this machine does not have
#   chroot_make RELEASE                  bookworm or trixie; made by debootstrap at the first time, and
#                                        kept in $STEWARD_CHROOT_CACHE/RELEASE (/var/cache/steward-chroot)
#   chroot_copy RELEASE                  this source tree, for chroot_run
#   chroot_run RELEASE FOLDER COMMAND... runs it there as root, in FOLDER, which is seen as /src/steward
#   chroot_build RELEASE                 the release build of both daemons, in chroot_copy's folder
#   chroot_demo RELEASE                  script/demo there, after that
#   chroot_unit RELEASE                  there the unit tests of what knows a library or a program
#   chroot_exec RELEASE FOLDER SHARED COMMAND...
#                                        becomes a command there that has our processes and network, and
#                                        the folder SHARED where we have it
#
# All need root. The folder may be removed at any time when nothing runs in it. Packages come from
# where this machine's apt gets its own.

chroot_root() { echo "${STEWARD_CHROOT_CACHE:-/var/cache/steward-chroot}/$1"; } # release

chroot_other() { (. /etc/os-release && [ "${VERSION_CODENAME-}" = trixie ] && echo bookworm || echo trixie); }

chroot_fail() {
	echo "$*" >&2
	return 1
}

# Debian's main archive, as apt has it: it has all releases.
chroot_mirror() {
	local form='$(LABEL) $(COMPONENT) $(REPO_URI)'
	apt-get indextargets --format "$form" 'Created-By: Packages' |
		awk '$1 == "Debian" && $2 == "main" { print $3; exit }'
}

# What apt is told to go through; debootstrap looks into its environment for it.
chroot_proxy() { # scheme
	local proxy=""
	eval "$(apt-config shell proxy "Acquire::$1::Proxy")"
	[ "$proxy" = DIRECT ] || echo "$proxy"
}

chroot_debootstrap() { # release root
	local mirror scheme proxy
	mirror=$(chroot_mirror)
	[ -n "$mirror" ] || chroot_fail "apt knows no Debian archive: run apt-get update" || return
	for scheme in http https; do
		proxy=$(chroot_proxy $scheme)
		[ -z "$proxy" ] || export ${scheme}_proxy="$proxy"
	done
	debootstrap --variant=minbase --include=ca-certificates "$1" "$2" "$mirror" >"$2.log" 2>&1 || {
		tail -n 5 "$2.log" >&2
		chroot_fail "debootstrap of $1 from $mirror failed: see $2.log"
		return
	}
	for scheme in http https; do
		proxy=$(chroot_proxy $scheme)
		[ -z "$proxy" ] || echo "Acquire::$scheme::Proxy \"$proxy\";"
	done >"$2/etc/apt/apt.conf.d/proxy"
	# Whom this machine trusts is trusted there, too: npm may be behind such a proxy.
	find /usr/local/share/ca-certificates -name '*.crt' \
		-exec cp -t "$2/usr/local/share/ca-certificates" {} + 2>/dev/null
	chroot "$2" update-ca-certificates >/dev/null 2>&1
	# Servers that packages bring with them are not to start.
	printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
	chmod 755 "$2/usr/sbin/policy-rc.d"
	mkdir -p "$2/src/steward"
}

# Under another name, and renamed when whole. Who comes second waits for the first.
chroot_make() ( # release
	root=$(chroot_root "$1")
	case $1 in
	bookworm | trixie) ;;
	*) chroot_fail "Debian's release is bookworm or trixie, not \"$1\"" || exit 64 ;;
	esac
	[ "$(id -u)" -eq 0 ] || chroot_fail "a chroot with Debian's $1 needs root" || exit 77
	mkdir -p "${root%/*}"
	exec 9>"$root.lock"
	flock 9
	[ ! -d "$root" ] || exit 0
	echo "making a chroot with Debian's $1 in $root: some minutes, once"
	rm -rf "$root.new"
	mkdir "$root.new"
	chroot_debootstrap "$1" "$root.new" || exit 1
	rm -f "$root.new.log"
	mv "$root.new" "$root"
)

# A copy of this source tree for it, without what git ignores; its build folder stays for the next time.
# Prints where it is.
chroot_copy() { # release
	local copy
	copy=$(chroot_root "$1").source
	mkdir -p "$copy"
	find "$copy" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} + || return
	git ls-files -z | tar --create --null --files-from - | tar --extract --directory "$copy" || return
	echo "$copy"
}

# $1 root, $2 its folder, $3 a folder that is shared or nothing, then a command; in a mount namespace, so
# that all that is mounted goes with the command.
chroot_enter='
	root=$1 folder=$2 shared=$3
	shift 3
	mount --bind "$root" "$root" &&
		mount --rbind /dev "$root/dev" && mount --rbind /sys "$root/sys" &&
		mount -t proc proc "$root/proc" && mount -t tmpfs run "$root/run" &&
		mount --bind "$folder" "$root/src/steward" &&
		if [ -n "$shared" ]; then
			mkdir -p "$root$shared" && mount --bind "$shared" "$root$shared"
		fi &&
		# Not only chroot: who enters a mount namespace that was made in there, as nsenter does,
		# comes to its root, and that is to be this one.
		cd "$root" && pivot_root . . && umount --lazy . &&
		exec chroot . env -C /src/steward PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
'

# All processes go with the command, too.
chroot_run() { # release folder command...
	local root
	root=$(chroot_root "$1")
	mkdir -p "$root/src/steward"
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	unshare --mount --pid --fork --kill-child sh -c "$chroot_enter" sh "$root" "$2" "" "${@:3}"
}

chroot_exec() { # release folder shared command...
	exec unshare --mount sh -c "$chroot_enter" sh "$(chroot_root "$1")" "${@:2}"
}

chroot_build() ( # release
	chroot_make "$1" || exit
	exec 9>"$(chroot_root "$1").source.lock"
	flock 9
	copy=$(chroot_copy "$1") || exit
	chroot_run "$1" "$copy" sh -c 'script/setup demo &&
		cmake --preset release -D STEWARD_TESTS=OFF &&
		cmake --build --preset release --target conductord stewardd'
)

# What libcurl, libmicrohttpd, libyang, tss2, libcrypto, wolfSSL, OpenSSH and the kernel's headers do.
chroot_unit_tests="test_config*.c test_fscrypt.c test_fscrypt_key.c test_http*.c test_kem.c test_process*.c
	test_secret.c test_ssh_*.c test_sse.c test_tls_*.c test_tpm*.c test_tunnel_*.c"

chroot_there() ( # release command...
	exec 9>"$(chroot_root "$1").source.lock"
	flock 9
	chroot_run "$1" "$(chroot_root "$1").source" "${@:2}"
)

chroot_demo() { chroot_there "$1" script/demo; } # release

chroot_unit() { # release
	chroot_there "$1" sh -c '
		DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends libcmocka-dev &&
			names=$(cd tests/unit && ls $1 | sed "s/[.]c$//") &&
			cmake --preset release -D STEWARD_TESTS=ON -D STEWARD_UNIT_TESTS=ON &&
			cmake --build --preset release --target $names &&
			ctest --preset release -j 2 -R "^($(echo $names | tr " " "|"))$"
	' sh "$chroot_unit_tests"
}
