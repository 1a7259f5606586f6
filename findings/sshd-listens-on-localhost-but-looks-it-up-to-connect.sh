#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# OpenSSH's sshd (Debian 12, 9.2p1): "localhost" needs no name look-up where a client has it listened on, and
# needs one where a client has it connected to. On a system without /etc/hosts, as debootstrap makes it,
# "ssh -R localhost:PORT:..." works, and "ssh -L PORT:localhost:PORT" on the same connection does not: the
# session stands, nothing is said when it begins, and each connection through it is closed at once.
# Seen, each pair with one sshd, one key and one session:
#
#	/etc/hosts with localhost: -R brings hello, -L brings hello
#	/etc/hosts without localhost: -R brings hello, -L brings nothing
#	sshd said: connect_to localhost: unknown host
#
# Exit 1, and "changed", once that is no longer so. Needs root and python3; installs nothing.
set -eu
version=1:9.2p1-2+deb12u10
if [ "${1-}" != inside ]; then
	[ -z "${CI:-}" ] || { echo "not run in CI: it downloads packages"; exit 0; }
	grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "not run: this is not Debian 12"; exit 0; }
	folder=$(mktemp -d)
	trap 'rm -rf "$folder"' EXIT
	chmod 755 "$folder"
	cp "$0" "$folder/look"
	cd "$folder"
	apt-get -q -o APT::Sandbox::User=root download "openssh-server=$version" "openssh-client=$version" >&2
	for package in ./*.deb; do
		dpkg -x "$package" root
	done
	result=0
	unshare --mount --net --pid --fork --kill-child sh look inside >seen || result=$?
	cat seen
	cat >expected <<'END'
/etc/hosts with localhost: -R brings hello, -L brings hello
/etc/hosts without localhost: -R brings hello, -L brings nothing
sshd said: connect_to localhost: unknown host
END
	[ $result -eq 0 ] && cmp -s seen expected || { echo changed; exit 1; }
	exit 0
fi

# In namespaces of our own: files of names that are ours, and a loopback that nobody else has.
mount -t proc proc /proc
ip link set lo up
mount -t tmpfs run /run
mkdir /run/sshd
touch hosts
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n' >nsswitch.conf
mount --bind hosts /etc/hosts
mount --bind nsswitch.conf /etc/nsswitch.conf
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f key
cp key.pub keys
cat >config <<END
ListenAddress 127.0.0.1:2222
HostKey $PWD/host
AuthorizedKeysFile $PWD/keys
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
END
# What is reached at each end.
python3 - <<'END' &
import socket
import threading

def serve(port):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"hello")
        connection.close()

threads = [threading.Thread(target=serve, args=(port,)) for port in (7001, 7002)]
[thread.start() for thread in threads]
END

brings() { # port
	python3 - "$1" <<'END'
import socket
import sys
import time

for _ in range(100):
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 10) as connection:
            print(connection.recv(100).decode() or "nothing")
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
    except ConnectionResetError:
        print("nothing")
        break
END
}

look() { # words
	"$PWD/root/usr/sbin/sshd" -D -e -f config 2>log &
	sshd=$!
	sleep 1
	root/usr/bin/ssh -F none -N -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		-R localhost:8001:127.0.0.1:7001 -L 127.0.0.1:8002:localhost:7002 -p 2222 root@127.0.0.1 2>/dev/null &
	ssh=$!
	echo "/etc/hosts $1 localhost: -R brings $(brings 8001), -L brings $(brings 8002)"
	kill $ssh $sshd
	wait $ssh $sshd 2>/dev/null || true
}

echo "127.0.0.1 localhost" >hosts
look with
: >hosts
look without
echo "sshd said: $(grep -o 'connect_to localhost: unknown host' log | head -n 1)"
