#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# cockpit-bridge 287.1 (Debian 12): a channel to an HTTP server on a unix socket ("http-stream2", which is what
# cockpit.http() of a page opens) is never closed when the server's connection ends in the middle of a chunked
# reply, as server-sent events of a daemon that is killed do. A page that waits for the end of its stream waits
# for ever; it has to ask something else now and then. A reply that ends as it should closes the channel at once.
# Seen:
#
#	reply ended: closed
#	connection cut: still open after 5 s
#
# Exit 1, and "changed", once that is no longer so. Runs on Debian 12; needs python3 and libraries that the
# bridge links; installs nothing.
set -eu
[ -z "${CI:-}" ] || { echo "not run in CI: it downloads packages"; exit 0; }
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "not run: this is not Debian 12"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get -q -o APT::Sandbox::User=root download cockpit-bridge=287.1-0+deb12u3 >&2
dpkg -x cockpit-bridge_*.deb root
cat >look.py <<'END'
import json, os, socket, subprocess, threading, time

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def serve(listening, rest):
    connection, _ = listening.accept()
    connection.recv(4096)
    connection.sendall(HEAD)
    time.sleep(0.5)  # what comes with the last bytes is noticed
    connection.sendall(rest)
    connection.close()


def look(what, rest):
    path = os.path.abspath(what.replace(" ", ""))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    threading.Thread(target=serve, args=(listening, rest), daemon=True).start()
    bridge = subprocess.Popen(["root/usr/bin/cockpit-bridge"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    closed = threading.Event()

    def send(**message):
        text = b"\n" + json.dumps(message).encode()
        bridge.stdin.write(b"%d\n" % len(text) + text)
        bridge.stdin.flush()

    def read():
        while line := bridge.stdout.readline():
            if b'"command":"close"' in bridge.stdout.read(int(line)):
                closed.set()

    send(command="init", version=1, host="localhost")
    send(command="open", channel="1", payload="http-stream2", unix=path, method="GET", path="/")
    send(command="done", channel="1")
    threading.Thread(target=read, daemon=True).start()
    print(what + ":", "closed" if closed.wait(5) else "still open after 5 s")
    bridge.kill()


look("reply ended", b"0\r\n\r\n")
look("connection cut", b"")
END
python3 look.py | tee said
printf '%s\n' 'reply ended: closed' 'connection cut: still open after 5 s' | cmp -s - said || { echo changed; exit 1; }
