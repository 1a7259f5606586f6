# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# What the tests of the installed packages have in common: to be sourced. Each runs in a folder of its
# own, $work, which goes at the end with the processes in $pids.
set -eu

work=$(mktemp -d)
chmod 755 "$work"
pids=""
trap end EXIT

end() {
	for pid in $pids; do
		kill "$pid" 2>/dev/null || true
	done
	wait
	rm -rf "$work"
}

fail() {
	echo "$(basename "$0"): $*" >&2
	tail -n 20 "$work"/*.log >&2
	exit 1
}

wait_for() { # what command...
	what=$1
	shift
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "$what did not come within a minute"
		sleep 0.1
	done
}

router() { stewardctl --socket "$work/router.sock" "$@"; }
conductor() { stewardctl --socket "$work/authority.sock" "$@"; }

is_free() { # port: nobody answers there
	curl -s -m 5 "http://127.0.0.1:$1/" >/dev/null && return 1
	[ $? -eq 7 ]
}

# Sets port: nobody has that, nor the next.
choose_ports() {
	port=$((20000 + $$ % 10000))
	until is_free $port && is_free $((port + 1)); do
		port=$((port + 2))
	done
}

# With a certificate of its own, on port $port of 127.0.0.1.
start_conductor() {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/certificate.pem" \
		-subj /CN=conductor1 -days 2 2>/dev/null
	cat >"$work/conductor.json" <<-END
		{ "steward:conductor": {
		    "name": "conductor1", "address": "127.0.0.1", "port": $port,
		    "certificate": "$work/certificate.pem", "private-key": "$work/key.pem",
		    "ca-certificate": "$work/certificate.pem",
		    "registry": "sqlite:$work/registry", "state-directory": "$work/conductor",
		    "control": { "socket": "$work/authority.sock" } } }
	END
	conductord --config "$work/conductor.json" --check
	conductord --config "$work/conductor.json" --foreground 2>"$work/conductord.log" &
	pids="$pids $!"
	wait_for "the conductor's socket" conductor show system
}

# By $work/steward.json. Sets stewardd.
start_router() {
	stewardd --config "$work/steward.json" --foreground 2>>"$work/stewardd.log" &
	stewardd=$!
	pids="$pids $stewardd"
	wait_for "the router's socket" router show system
}
