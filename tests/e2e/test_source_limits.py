# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that serve one client few connections, or few requests a second: no fault of theirs, and
hardly slower than one plain request."""

import http.server
import os
import subprocess
import threading
import time

import pytest

from fault_server import Fault
from nginx import LIMITS, Nginx
from repository import MIB
from test_download import sha256
from test_images import create


@pytest.fixture
def nginx(tmp_path, repository):
    made = []

    def start(http="", server="", root=repository.root, **options):
        made.append(Nginx(tmp_path / f"nginx{len(made)}", root, http, server, **options))
        return made[-1]

    yield start
    for each in made:
        each.close()


def seconds_of_curl(url, image):
    began = time.monotonic()
    subprocess.run(["curl", "-sf", "-o", "/dev/null", f"{url}V1/{os.path.basename(image.path)}"],
                   check=True)
    return time.monotonic() - began


def check(daemon, server, image, curl_s):
    began = time.monotonic()
    daemon.fetch("V1")
    # A second more for a machine under load.
    assert time.monotonic() - began <= 1.25 * curl_s + 1
    assert sha256(daemon.image_path("V1", os.path.basename(image.path))) == image.sha256
    source = daemon.source_of("V1", "s0")
    assert source["failures"] == 0 and source["state"] in ("active", "available"), source
    assert daemon.get("/v1/downloads/V1").json["attempt"] == 1


@pytest.mark.parametrize("limit", [pytest.param(each, marks=pytest.mark.release_only)
                                   if each == "509" else each for each in LIMITS])
def test_limits_a_client(limit, nginx, daemons, images):
    server = nginx(*LIMITS[limit])
    curl_s = seconds_of_curl(server.url, images(16))
    time.sleep(0.6)  # of the limit's window, which curl has used
    daemon = daemons(server)
    check(daemon, server, images(16), curl_s)
    assert server.image_bytes() <= images(16).size * 2.02 + 64 * 500  # curl's, and ours


def test_limited_one_is_not_left_for_another(nginx, daemons, images):
    limited, other = nginx(*LIMITS["one-connection"]), nginx()
    daemon = daemons(limited, other)
    daemon.fetch("V1")
    assert other.image_bytes() == 0
    assert daemon.source_of("V1", "s0")["failures"] == 0


class OneAtATime(http.server.SimpleHTTPRequestHandler):
    """A worker for one connection: who comes meanwhile waits in its backlog."""

    protocol_version = "HTTP/1.1"
    rate = 4 * MIB

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.translate_path(self.path)
        if not os.path.isfile(path):
            self.send_error(404)
            return
        size = os.path.getsize(path)
        wanted = self.headers.get("Range", "bytes=0-")[6:].split("-")
        first, last = int(wanted[0]), int(wanted[1] or size - 1)
        self.send_response(206 if "Range" in self.headers else 200)
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        with open(path, "rb") as file:
            file.seek(first)
            left = last + 1 - first
            while left > 0:
                block = file.read(min(left, 1 << 16))
                self.wfile.write(block)
                left -= len(block)
                time.sleep(len(block) / self.rate)


class QuickOneAtATime(OneAtATime):
    rate = 1024 * MIB


@pytest.mark.parametrize("worker", [OneAtATime, QuickOneAtATime])
def test_one_worker(worker, daemons, images, key, tmp_path):
    """The others are silent as long as it serves one, which keeps its connection: nor may the chunk
    index have that, which comes between the image's first bytes and the others."""
    assert create(tmp_path, images(16).path, key).returncode == 0

    def handler(*arguments):
        return worker(*arguments, directory=tmp_path / "made")

    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        daemon = daemons(f"http://127.0.0.1:{server.server_port}/")
        check(daemon, None, images(16), 16 / 4)
        daemon.stop()  # it would wait for more on the connection that is kept
        server.shutdown()


@pytest.mark.parametrize("document", ["index", "manifest"])
@pytest.mark.parametrize("status", [429, 503])
def test_documents_are_asked_for_again(document, status, servers, daemons):
    server = servers(Fault("status", status, on=document, times=2))
    daemon = daemons(server)
    assert daemon.fetch("V1")["attempt"] == 1
    asked = [r.at for r in server.of(document)]
    assert asked[1] - asked[0] > 0.2 and asked[2] - asked[1] > 0.2


def test_a_document_that_is_always_refused_ends_the_attempt(servers, daemons):
    server = servers(Fault("status", 503, on="index"))
    daemon = daemons(server, download={"attempts": 1})
    daemon.request("V1")
    assert "index.json: HTTP 503" in daemon.wait_state("V1", "failed", timeout=20)["error"]
    assert len(server.of("index")) == 9


def test_whole_file_cut_at_the_same_byte(servers, daemons, images):
    """No ranges, and each reply ends after 10 of 16 MiB: asked again only after progress, and once
    in the next attempt."""
    server = servers(Fault("whole-cut", 10 * MIB))
    daemon = daemons(server, download={"attempts": 4})
    daemon.request("V1")
    failed = daemon.wait_state("V1", "failed", timeout=40)
    assert "each reply ends after 10485760 of 16777216 bytes" in failed["error"]
    assert server.image_requests <= 3 and server.image_bytes <= 30 * MIB
    assert failed["bytes-verified"] == 10 * MIB
