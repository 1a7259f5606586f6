# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever is refused reads why, also if the request has a body that is on its way."""

import http.client
import select
import socket
import subprocess

import pytest

from repository import MIB
from steward import SLOW, Reply, ctl, wait_for

pytestmark = pytest.mark.once

REFUSED = {
    "no such path": ("PUT", "/v1/images/..%2fx/manifest", 5000, 404),
    "not for this method": ("PUT", "/v1/status", MIB, 405),
    "larger than a manifest": ("PUT", "/v1/images/V1/manifest", 5_000_000, 413),
    "larger than an order": ("POST", "/v1/downloads", MIB, 413),
}


class Slow:
    """A client that sends head and body when it is told to."""

    def __init__(self, daemon, method, path, *headers):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30 * SLOW)
        self.socket.connect(daemon.socket)
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.send("\r\n".join(head).encode())

    def send(self, content):
        self.socket.sendall(content)

    def hears(self, seconds):
        return bool(select.select([self.socket], [], [], seconds)[0])

    def reply(self):
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        return Reply(response)


@pytest.mark.parametrize("row", REFUSED)
def test_who_writes_first_and_then_reads(row, daemons):
    method, path, size, status = REFUSED[row]
    client = Slow(daemons(), method, path, f"Content-Length: {size}")
    assert not client.hears(0.3)
    client.send(b"x" * (size // 2))
    assert not client.hears(0.3)
    client.send(b"x" * (size - size // 2))
    reply = client.reply()
    assert reply.status == status and reply.detail


@pytest.mark.parametrize("row", REFUSED)
def test_who_asks_first_need_not_write(row, daemons):
    method, path, size, status = REFUSED[row]
    client = Slow(daemons(), method, path, f"Content-Length: {size}", "Expect: 100-continue")
    assert client.reply().status == status


def test_a_body_beyond_reason_is_not_waited_for(daemons):
    client = Slow(daemons(), "PUT", "/v1/images/V1/manifest", f"Content-Length: {1 << 40}")
    assert client.reply().status == 413


def test_a_body_without_end_is_cut(daemons):
    daemon = daemons()
    client = Slow(daemon, "PUT", "/v1/images/V1/manifest", "Transfer-Encoding: chunked")
    with pytest.raises(OSError):
        for _ in range(1000):
            client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    wait_for(daemon.is_up)


@pytest.mark.parametrize("expect", [[], ["-H", "Expect:"]])
def test_curl_reads_the_refusal(expect, daemons, tmp_path):
    large = tmp_path / "large.jws"
    large.write_bytes(b"x" * 5_000_000)
    daemon = daemons()
    result = subprocess.run(["curl", "-sS", *expect, "--unix-socket", daemon.socket, "-T", large,
                             "http://localhost/v1/images/V1/manifest"],
                            text=True, capture_output=True, timeout=60 * SLOW)
    assert result.returncode == 0 and "a body of more than 4194304 bytes" in result.stdout, result


def test_stewardctl_reads_the_refusal(daemons, tmp_path, images):
    large = tmp_path / "large.jws"
    large.write_bytes(b'{"version":"V1"}.' + b"x" * 5_000_000)
    result = ctl(daemons(), "import", "system", "software", "image", images(1).path, "manifest",
                 large, check=1)
    assert "bytes" in result.stderr, result.stderr
