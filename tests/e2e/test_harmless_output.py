# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a router, a peer or a source says, an operator's terminal obeys none of it: each command
that shows an answer, on a daemon whose every text is hostile."""

import base64
import http.server
import json
import os
import pty
import re
import socketserver
import subprocess
import threading
import unicodedata

import pytest

from steward import STEWARDCTL

pytestmark = pytest.mark.once

HOSTILE = ("\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\r\x08"
           "\nstewardctl: forged\n\u202etxet\u2066\u200b\ufeff\u2028\U000e0041 Gr\u00fc\u00dfe")
NODE = "owned\x1b[2J\u202e"
NAMES = ["router router1", "router router1 node node0"]
DOWNLOAD = {"version": "V1", "state": HOSTILE, "error": HOSTILE, "active-source": HOSTILE,
            "bytes-total": 100, "bytes-verified": 50, "rate": 5, "eta": 5, "attempt": 1,
            "sources": [dict.fromkeys(("name", "kind", "state", "reason"), HOSTILE)]}
TEXTS = dict.fromkeys((
    "version", "name", "mode", "access-mode", "state", "reason", "record", "key-handle", "nv-index",
    "pcr-bank", "jti", "token", "router", "node", "address", "pinned-by", "pin", "host", "tunnel",
    "problem", "certificate", "algorithms", "asset-id", "error", "sha256", "key-identifier",
    "path", "command"), HOSTILE)
ITEM = {**TEXTS, "sources": [HOSTILE], "nodes": [TEXTS]}
ANSWER = {
    **TEXTS, "node": "", "software-update": {"access-mode": HOSTILE, "downloads": {}},
    "images": [ITEM], "directories": [ITEM], "routers": [ITEM], "tokens": [ITEM],
    "enrolments": [ITEM], "conductors": [ITEM], "downloads": [DOWNLOAD], "versions": [ITEM],
    "sources": [TEXTS], "next": TEXTS, "warnings": [HOSTILE], "registry": TEXTS,
    "configuration": {HOSTILE: HOSTILE}, "revision": 1, "result": HOSTILE,
    "nodes": [{"node": NODE, "answer": {**DOWNLOAD, "downloads": [DOWNLOAD]}, "error": None},
              {"node": HOSTILE, "answer": None, "error": HOSTILE}],
}
COMMANDS = [
    "show system", "show system software download", "show system software available",
    "show system software images", "show configuration-integrity",
    "show system software download version V1",
    *(f"show system software download {name}" for name in NAMES),
    *(f"request system software download {what} version V1 {NAMES[0]}"
      for what in ("pause", "resume", "cancel")),
    "show authority", "show authority router router1", "show secure-conductor-onboarding",
    "show secure-conductor-onboarding tokens", "show secure-conductor-onboarding enrolments",
    "create secure-conductor-onboarding token router router1",
    "request system software verify version V1",
]


class Handler(http.server.BaseHTTPRequestHandler):
    """Raw characters in JSON, as a C library writes them: only what JSON must escape is."""

    def answer(self):
        body = json.dumps(self.server.answer, ensure_ascii=False).encode()
        status, kind = self.server.status, "application/json"
        if self.path.endswith("/verify") and status == 200:
            kind, body = "text/event-stream", b"event: result\ndata: " + body + b"\n\n"
        elif self.path.endswith("/events") and status == 200:
            nodes = json.dumps({"nodes": [NODE]}, ensure_ascii=False).encode()
            node = json.dumps({"node": NODE, "status": 200, "answer": {
                **DOWNLOAD, "state": "failed"}}, ensure_ascii=False).encode()
            kind, body = "text/event-stream", (b"event: nodes\ndata: " + nodes +
                                               b"\n\nevent: node\ndata: " + node + b"\n\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def address_string(self):
        return "somebody"

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("hostile") / "socket")
    with Server(path, Handler) as server:
        server.answer, server.status, server.path = ANSWER, 200, path
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def run(server, line, *options):
    return subprocess.run([STEWARDCTL, *options, "--socket", server.path, *line.split()],
                          capture_output=True, timeout=60)


def check_harmless(output, allowed="\n\t"):
    text = output.decode()  # valid UTF-8
    bad = {c for c in text if c not in allowed and
           unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")}
    assert not bad, (bad, text)
    assert not re.search(r"^stewardctl: forged", text, re.MULTILINE), text


@pytest.mark.parametrize("line", COMMANDS)
def test_what_is_shown(hostile, line):
    result = run(hostile, line)
    assert result.returncode != 64, result.stderr
    assert result.stdout + result.stderr
    check_harmless(result.stdout)
    check_harmless(result.stderr)
    if b"\\x1b" in result.stdout:
        assert "Gr\u00fc\u00dfe".encode() in result.stdout  # text stays text


@pytest.mark.parametrize("line", COMMANDS)
def test_json_means_the_same(hostile, line):
    result = run(hostile, line, "--json")
    check_harmless(result.stdout)
    check_harmless(result.stderr)
    if result.stdout:
        shown = json.loads(result.stdout)
        assert shown == ANSWER


@pytest.mark.parametrize("line", COMMANDS)
def test_what_is_refused(hostile, line):
    hostile.status, hostile.answer = 409, {"detail": HOSTILE}
    try:
        result = run(hostile, line)
        check_harmless(result.stdout + result.stderr)
        assert result.returncode == 1 and b"\\x1b[2J" in result.stderr, result
    finally:
        hostile.status, hostile.answer = 200, ANSWER


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_watched(hostile, options):
    line = "show system software download version V1 watch router router1"
    result = run(hostile, line, *options)
    check_harmless(result.stdout)
    check_harmless(result.stderr)
    assert b"forged" in result.stdout


def test_a_bar_on_a_terminal(hostile):
    """The bar itself goes back to the line's start and clears it: nothing else does."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [STEWARDCTL, "--socket", hostile.path, *"show system software download version V1 watch"
         " router router1".split()], stdout=theirs, stderr=theirs)
    os.close(theirs)
    output = b""
    try:
        while more := os.read(ours, 4096):
            output += more
    except OSError:
        pass
    process.wait(30)
    check_harmless(re.sub(rb"\x1b\[(\d+A|K)", b"", output), allowed="\r\n")
    assert b"owned" in output


def test_a_file_from_somebody(hostile, tmp_path):
    """A manifest on a stick, not signed by anybody yet: what is wrong with it is told."""
    def part(text):
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=")
    member = json.dumps(HOSTILE)
    manifest, image = tmp_path / "manifest", tmp_path / "image"
    manifest.write_bytes(b".".join((part('{"alg":"RS256","typ":"steward-manifest+jwt"}'),
                                    part(f"{{{member}:1,{member}:1}}"), part("signature"))))
    image.write_bytes(b"image")
    result = run(hostile, f"import system software manifest {manifest} image {image}")
    assert result.returncode == 1 and b"\\x1b[2J" in result.stderr, result
    check_harmless(result.stdout + result.stderr)
