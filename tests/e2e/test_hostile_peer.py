# SPDX-License-Identifier: GPL-3.0-or-later
"""An HA peer that answers nonsense, or lies: nothing is believed that is not proved, and nobody waits
for it longer than for one that is dead."""

import hashlib
import http.server
import os
import threading
import time

import pytest

from ha_world import PATIENCE
from repository import MIB, Repository
from steward import wait_for

pytestmark = pytest.mark.slow

ADDRESS = "127.0.0.4"


class Peer(http.server.ThreadingHTTPServer):
    """answers: what a path's GET gets: bytes, a status, or a function of the request's handler."""

    daemon_threads, request_queue_size = True, 128

    def __init__(self, answers):
        self.answers = answers
        self.asked = []
        super().__init__((ADDRESS, 0), PeerHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://{ADDRESS}:{self.server_port}/"

    def count(self, path):
        return self.asked.count(path)

    def handle_error(self, request, client_address):
        pass  # who asked has gone


class PeerHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        answer = self.server.answers.get(self.path, 404)
        if callable(answer):
            answer = answer(self)
        if answer is None:
            self.close_connection = True
            return
        status, body = (answer, b"no\n") if isinstance(answer, int) else (200, answer)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def peers():
    made = []

    def peer(answers):
        made.append(Peer(answers))
        return made[-1]

    yield peer
    for each in made:
        each.shutdown()
        each.server_close()


@pytest.fixture
def node_of(daemons):
    def node(peer, *sources, patience=PATIENCE, **options):
        return daemons(*sources, router={
            "node": "node1", "high-availability": {
                "peer-node": "node0", "peer-url": getattr(peer, "url", peer),
                "peer-patience": patience}}, **options)
    return node


def drip(handler):
    """A status that comes byte by byte, and would take an hour."""
    handler.send_response(200)
    handler.send_header("Content-Length", "36000")
    handler.end_headers()
    try:
        for _ in range(36000):
            handler.wfile.write(b" ")
            time.sleep(0.1)
    except OSError:
        pass


def flood(handler):
    """Without a length, and without an end."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b'{"version":"V1","state":"downloading","x":"' + b"x" * 65536)
    except OSError:
        pass


def silence(_handler):
    time.sleep(30)


def status_of(state, version="V1"):
    return b'{"version":"%s","state":"%s"}' % (version.encode(), state.encode())


NONSENSE = {
    "not JSON": b"<html>Please log in</html>",
    "empty": b"",
    "another version": status_of("downloading", "V2"),
    "an unknown state": status_of("nearly-there"),
    "two states": b'{"version":"V1","state":"downloading","state":"complete"}',
    "large": b'{"version":"V1","state":"downloading","x":"' + b"x" * (8 << 20) + b'"}',
    "deep": b'{"version":"V1","state":"downloading","x":' + b"[" * 9999 + b"]" * 9999 + b"}",
    "a flood": flood,
    "slow": drip,
    "silent": silence,
    "an error": 500,
    "an encoding nobody asked for": lambda h: (h.send_response(200),
                                               h.send_header("Content-Encoding", "gzip"),
                                               h.send_header("Content-Length", "36"),
                                               h.end_headers(), h.wfile.write(status_of(
                                                   "downloading")), None)[-1],
}


@pytest.mark.parametrize("what", NONSENSE)
def test_status_that_is_nonsense(peers, servers, node_of, what):
    """Is waited for as long as no answer, and then no longer."""
    peer = peers({"/v1/downloads/V1": NONSENSE[what]})
    node = node_of(peer, servers())
    asked = time.monotonic()
    node.request("V1", sequenced=True)
    node.wait_state("V1", "waiting-peer")
    wait_for(lambda: node.download("V1")["state"] != "waiting-peer", 20)
    assert time.monotonic() - asked >= PATIENCE
    assert "goes on without the HA peer" in node.log
    node.wait_state("V1", "complete")
    assert node.source_of("V1", "s0")["bytes"] == 16 * MIB


def test_status_is_asked_once_a_second(peers, servers, node_of):
    peer = peers({"/v1/downloads/V1": status_of("downloading")})
    node = node_of(peer, servers())
    node.request("V1", sequenced=True)
    began = time.monotonic()
    wait_for(lambda: peer.count("/v1/downloads/V1") >= 6)
    assert time.monotonic() - began >= 4.5
    assert node.download("V1")["state"] == "waiting-peer"
    assert node.download("V1")["deadline"] is not None
    peer.answers["/v1/downloads/V1"] = status_of("failed")
    node.wait_state("V1", "complete")
    asked = peer.count("/v1/downloads/V1")
    time.sleep(1.5)
    assert peer.count("/v1/downloads/V1") == asked


def test_complete_is_a_lie(peers, servers, node_of):
    """It says it has the image, and its index does not: that is as good as no answer."""
    peer = peers({"/v1/downloads/V1": status_of("complete"), "/index.json": b'{"versions":[]}'})
    node = node_of(peer, servers())
    node.request("V1", sequenced=True)
    wait_for(lambda: node.download("V1")["error"])
    assert node.download("V1")["state"] == "waiting-peer"
    assert "its download is complete, but it has no image" in node.download("V1")["error"]
    node.wait_state("V1", "complete")
    assert node.source_of("V1", "ha-peer")["bytes"] == 0


def test_end_of_an_earlier_order(peers, servers, node_of):
    """The order reaches the other node a little later: what it tells until then is of another one."""
    peer = peers({"/v1/downloads/V1": status_of("failed")})
    node = node_of(peer, servers(), patience=600)
    node.request("V1", sequenced=True)
    wait_for(lambda: peer.count("/v1/downloads/V1") >= 2)
    assert "its download is failed" in node.download("V1")["error"]
    peer.answers["/v1/downloads/V1"] = status_of("downloading")
    wait_for(lambda: node.download("V1")["error"] is None)
    assert node.download("V1")["state"] == "waiting-peer"
    peer.answers["/v1/downloads/V1"] = status_of("failed")
    node.wait_state("V1", "complete")


def leave_pair(node):
    del node.config["high-availability"]
    node.write_config()
    assert node.post("/v1/reload").status == 200


def shorten_patience(node):
    node.config["high-availability"]["peer-patience"] = 1
    node.write_config()
    assert node.post("/v1/reload").status == 200


@pytest.mark.parametrize("change, told", [(leave_pair, "downloading"), (shorten_patience, "paused")])
@pytest.mark.parametrize("paused", [False, True])
def test_configuration_changes_the_wait(peers, servers, node_of, change, told, paused):
    """It holds for one that waits, and for one that will go on waiting when it is resumed."""
    peer = peers({"/v1/downloads/V1": status_of(told)})
    node = node_of(peer, servers(), patience=600)
    node.request("V1", sequenced=True)
    wait_for(lambda: peer.count("/v1/downloads/V1") >= 2)
    assert node.download("V1")["state"] == "waiting-peer"
    if paused:
        node.post("/v1/downloads/V1/pause")
    change(node)
    if paused:
        node.post("/v1/downloads/V1/resume")
    node.wait_state("V1", "complete")


def manifest_of(repository):
    with open(os.path.join(repository.root, "V1", "manifest.jws"), "rb") as file:
        return file.read()


def check(node, images):
    node.wait_state("V1", "complete")
    with open(node.image_path("V1", "image-16-1.iso"), "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == images(16).sha256


@pytest.mark.parametrize("what", ["too short", "too long", "huge", "a bit too many", "html", "slow"])
def test_pieces_that_are_none(peers, servers, node_of, images, key, tmp_path, what):
    bitmap = {"too short": b"\xff", "too long": b"\xff\xf8\x00", "huge": b"\xff" * (8 << 20),
              "a bit too many": b"\xff\xfc", "html": b"<html></html>", "slow": drip}[what]
    thirteen = Repository(tmp_path / "thirteen").add("V1", images(13), key)
    peer = peers({"/V1/manifest.jws": manifest_of(thirteen), "/V1/pieces": bitmap})
    node = node_of(peer, servers(root=thirteen.root, rate=MIB))
    node.request("V1")
    wait_for(lambda: peer.count("/V1/pieces") > 0)
    node.wait_state("V1", "complete")
    assert not [p for p in peer.asked if p.endswith(".iso")]
    # The one that is right.
    peer.answers["/V1/pieces"] = b"\xff\xf8"
    node.request("V1", force=True)
    wait_for(lambda: [p for p in peer.asked if p.endswith(".iso")])


def test_answers_that_do_not_come(peers, servers, node_of, repository, images):
    """Every other one: the peer is taken from all the same."""
    def pieces(handler):
        return 503 if handler.server.count("/V1/pieces") % 2 == 0 else b"\xff\x00"

    def deliver(handler):
        first, last = map(int, handler.headers["Range"][6:].split("-"))
        with open(images(16).path, "rb") as file:
            file.seek(first)
            body = file.read(last - first + 1)
        handler.send_response(206)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Range", f"bytes {first}-{last}/{16 * MIB}")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for at in range(0, len(body), MIB // 4):
            handler.wfile.write(body[at:at + MIB // 4])
            time.sleep(0.5)

    peer = peers({"/V1/manifest.jws": manifest_of(repository), "/V1/pieces": pieces,
                  "/V1/image-16-1.iso": deliver})
    node = node_of(peer, servers(rate=MIB // 4))
    node.request("V1")
    check(node, images)
    assert peer.count("/V1/pieces") >= 4
    assert peer.count("/V1/manifest.jws") == 1
    assert node.source_of("V1", "ha-peer")["bytes"] >= 4 * MIB
    assert node.source_of("V1", "ha-peer")["failures"] == 0, node.log


def test_other_manifest(peers, servers, node_of, repository, images, key, tmp_path):
    other = Repository(tmp_path / "other").add("V1", images(16, seed=2), key)
    peer = peers({"/V1/manifest.jws": manifest_of(other), "/V1/pieces": b"\xff\xff"})
    node = node_of(peer, servers(rate=MIB))
    node.request("V1")
    wait_for(lambda: "different manifest" in node.log)
    assert node.source_of("V1", "ha-peer")["state"] == "excluded"
    assert node.source_of("V1", "ha-peer")["reason"] == "different manifest"
    check(node, images)
    assert peer.count("/V1/manifest.jws") == 1 and peer.count("/V1/pieces") == 0


def test_manifest_by_another_key(peers, servers, node_of, images, other_key, tmp_path):
    other = Repository(tmp_path / "other").add("V1", images(16), other_key)
    peer = peers({"/V1/manifest.jws": manifest_of(other), "/V1/pieces": b"\xff\xff"})
    node = node_of(peer, servers(rate=MIB))
    node.request("V1")
    check(node, images)
    assert peer.count("/V1/manifest.jws") == 1 and peer.count("/V1/pieces") == 0


def test_pieces_it_does_not_have(peers, servers, node_of, repository, images):
    """It tells of everything and delivers nothing: it is left like any source."""
    peer = peers({"/V1/manifest.jws": manifest_of(repository), "/V1/pieces": b"\xff\xff"})
    node = node_of(peer, servers(rate=MIB))
    node.request("V1")
    check(node, images)
    assert node.source_of("V1", "ha-peer")["state"] == "unavailable"
    assert peer.count("/V1/image-16-1.iso") == 1


def test_pieces_that_are_wrong(peers, servers, node_of, repository, images):
    def lie(handler):
        first, last = map(int, handler.headers["Range"][6:].split("-"))
        handler.send_response(206)
        handler.send_header("Content-Length", str(last - first + 1))
        handler.send_header("Content-Range", f"bytes {first}-{last}/{16 * MIB}")
        handler.end_headers()
        handler.wfile.write(b"x" * (last - first + 1))

    peer = peers({"/V1/manifest.jws": manifest_of(repository), "/V1/pieces": b"\xff\xff",
                  "/V1/image-16-1.iso": lie})
    node = node_of(peer, servers(rate=MIB))
    node.request("V1")
    check(node, images)
    assert node.source_of("V1", "ha-peer")["state"] == "excluded"
    assert "piece" in node.source_of("V1", "ha-peer")["reason"]


def test_sequenced_without_a_peer(servers, daemons):
    node = daemons(servers())
    refused = node.post("/v1/downloads", {"version": "V1", "sequenced": True})
    assert refused.status == 400
    assert "no HA peer is configured (high-availability/peer-node)" in refused.detail
    assert node.get("/v1/downloads").json == {"downloads": []}
    assert node.post("/v1/downloads", {"version": "V1", "sequenced": 1}).status == 400


def test_nobody_knows_who_is_first(servers, node_of):
    node = node_of("http://127.0.0.1:9/", servers(), start=False)
    del node.config["node"]
    node.write_config()
    node.start()
    refused = node.post("/v1/downloads", {"version": "V1", "sequenced": True})
    assert refused.status == 400 and "own name" in refused.detail
