# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and caches that do what the standards allow, or nearly: the whole file comes all the same."""

import contextlib
import gzip
import http.server
import os
import re
import socket
import ssl
import subprocess
import threading

import pytest

from certificates import Authority
from nginx import Nginx, nginx_version
from steward import free_port, wait_for
from test_download import sha256


class OddServer(http.server.ThreadingHTTPServer):
    """Serves a repository in the way of its mode."""

    request_queue_size = 128  # Python's is 5: on a busy machine a connection waits a second for room

    def __init__(self, root, mode):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root, self.mode, self.image_requests, self.heads = str(root), mode, 0, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        mode = self.server.mode
        if mode.endswith(" closing"):
            self.protocol_version, self.close_connection = "HTTP/1.0", True
        if mode.startswith("hops ") and self.path.endswith(".iso"):
            hops, self.path = self.path.count("/hop"), self.path.replace("/hop", "")
            if hops < 3:
                self.redirect((hops + 1) * "/hop" + self.path)
                return
        if self.path == "/login":
            self.reply_page(200)
            return
        if mode.startswith("portal ") and self.path.endswith(mode.split()[2]):
            self.server.heads.append((self.path, None))
            self.reply_portal(mode.split()[1])
            return
        if mode == "loop" and self.path.endswith(".iso"):
            self.server.image_requests += 1
            self.redirect(self.path)
            return
        with open(self.server.root + self.path, "rb") as file:
            body = file.read()
        self.server.heads.append((self.path, self.headers.get("Cache-Control")))
        if not self.path.endswith(".iso"):
            self.reply_document(body, mode)
            return
        self.server.image_requests += 1
        asked = re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        first, last = (int(asked[1]), int(asked[2])) if asked else (0, len(body) - 1)
        if mode == "short":
            last = min(last, first + (1 << 20) - 1)
        if mode == "chunked":
            self.reply_chunked(body)
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(body)}")
        if mode.startswith("encoding:"):
            self.send_header("Content-Encoding", mode[9:])
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(body[first:last + 1] + (b"X" * 30 if mode == "leftover" else b""))

    def reply_portal(self, how):
        if how == "to-page":
            self.redirect("/login")
        else:
            self.reply_page(511 if how == "511" else 200, how != "untyped")

    def redirect(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def reply_page(self, status, typed=True):
        page = b"\n<!DOCTYPE html><html>Who are you?</html>"
        self.send_response(status)
        if typed:
            self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def reply_document(self, body, mode):
        if mode == "crlf" and self.path.endswith(".jws"):
            body = body.rstrip(b"\n") + b"\r\n"
        if mode == "bomb":
            body = b" " * (64 << 20)
        self.send_response(200)
        if mode in ("gzip", "bomb"):
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reply_chunked(self, body):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(body), 65536):
            part = body[at:at + 65536]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def odd(repository):
    made = []

    def start(mode):
        made.append(OddServer(repository.root, mode))
        return made[-1]

    yield start
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.mark.parametrize("mode,requests", [("chunked", 1), ("short", 20), ("leftover", 40), ("gzip", 20), ("crlf", 20),
                                           ("encoding:aws-chunked", 20), ("encoding:UTF-8", 20)])
def test_whole_image_comes(mode, requests, odd, daemons, images):
    server = odd(mode)
    daemon = daemons(server)
    daemon.request("V1")
    complete = daemon.wait_state("V1", "complete")
    assert complete["attempt"] == 1 and complete["sources"][0]["failures"] == 0
    assert complete["bytes-fetched"] == images(16).size
    assert sha256(daemon.image_path("V1", os.path.basename(images(16).path))) == images(16).sha256
    assert server.image_requests <= requests


def test_document_that_unfolds_is_bounded(odd, daemons):
    server = odd("bomb")
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed")
    assert "longer than the" in failed["error"]


def test_version_that_a_cache_hides_is_asked_for_past_it(odd, daemons):
    """First what a cache has will do; a version that is not in it is asked for at the server."""
    server = odd("plain")
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V9")
    daemon.wait_state("V9", "failed")
    assert server.heads == [("/index.json", "max-age=60"), ("/index.json", "no-cache")]
    server.heads.clear()
    assert daemon.get("/v1/versions?refresh=true").status == 200
    assert ("/index.json", "no-cache") in server.heads


@pytest.mark.parametrize("mode,where,words", [
    ("511", "index.json", "HTTP 511: a captive portal"), ("511", ".iso", "HTTP 511: a captive portal"),
    ("page", "index.json", "page of HTML instead of index.json"),
    ("page", "manifest.jws", "page of HTML instead of manifest"),
    ("page", ".iso", "page of HTML instead of the image"),
    ("to-page", "index.json", "captive portal"), ("to-page", ".iso", "captive portal"),
    ("untyped", "index.json", "captive portal"), ("to-page", "index.json closing", "captive portal"),
    ("to-page", ".iso closing", "captive portal")])
def test_captive_portal_is_told(mode, where, words, odd, daemons):
    server = odd(f"portal {mode} {where}")
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    error = daemon.wait_state("V1", "failed")["error"]
    assert words in error and "captive portal" in error
    assert len([path for path, _ in server.heads if path.endswith(where.split()[0])]) <= 2


def test_redirects_of_a_server_that_closes_each_connection(odd, daemons, images):
    """Each of them needs another connection to the same server."""
    server = odd("hops closing")
    daemon = daemons(server)
    assert daemon.fetch("V1")["sources"][0]["failures"] == 0
    assert sha256(daemon.image_path("V1", os.path.basename(images(16).path))) == images(16).sha256


def test_redirect_loop_is_asked_once_an_attempt(odd, daemons):
    server = odd("loop")
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    assert "redirect" in daemon.wait_state("V1", "failed")["error"]
    assert server.image_requests == 1 + 5  # and the redirects that are followed


def test_server_of_http_2_only_is_told(tmp_path, repository, daemons):
    server = Nginx(tmp_path / "two", repository.root, parameters="http2")
    try:
        daemon = daemons(server, download={"attempts": 1})
        daemon.request("V1")
        if nginx_version() >= (1, 25, 1):  # there it serves HTTP/1.1 on the same port
            daemon.wait_state("V1", "complete")
            return
        assert "HTTP/2 only" in daemon.wait_state("V1", "failed")["error"]
    finally:
        server.close()


class SettingsServer:
    """Takes who offers no protocol, and begins as a server of HTTP/2 does: SETTINGS, then GOAWAY."""

    def __init__(self, certificate, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                self.answer(self.listener.accept()[0])

    def answer(self, connection):
        with contextlib.suppress(OSError), \
                self.context.wrap_socket(connection, server_side=True) as inner:
            self.speak(inner)

    def speak(self, inner):
        inner.sendall(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]) +
                      bytes([0, 0, 8, 7, 0, 0, 0, 0, 0]) + bytes(7) + b"\1")
        inner.recv(65536)

    def close(self):
        self.listener.close()


class ClosingServer(SettingsServer):
    """Closes, as nghttpx does, when it sees that no protocol was agreed on."""

    def speak(self, inner):
        inner.recv(65536)
        inner.unwrap()


class AlertServer:
    """OpenSSL's, which refuses who does not offer h2 with TLS's own alert."""

    def __init__(self, certificate, key):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-alpn", "h2", "-quiet",
             "-cert", certificate, "-key", key], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.accepts, what="s_server")

    def accepts(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.mark.parametrize("kind", [SettingsServer, ClosingServer, AlertServer])
def test_server_of_http_2_only_over_tls_is_told(kind, tmp_path, daemons):
    authority = Authority(tmp_path, "ours")
    server = kind(*authority.issue("server"))
    try:
        daemon = daemons({"name": "s0", "kind": "artifactory",
                          "url": f"https://127.0.0.1:{server.port}/",
                          "ca-certificate": authority.path}, download={"attempts": 1})
        daemon.request("V1")
        error = daemon.wait_state("V1", "failed")["error"]
        assert "it may speak HTTP/2 only: let it speak HTTP/1.1, too" in error
    finally:
        server.close()
