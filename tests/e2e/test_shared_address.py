# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's repository address answers to others: reads, of what it has and of nothing else."""

import hashlib
import os
import socket

import pytest

from repository import MIB
from steward import SLOW, free_port, wait_for

METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "STEWARD"]
SERVED = ["/index.json", "/V1/manifest.jws", "/V1/image-16-1.iso", "/V1/pieces",
          "/v1/downloads/V1", "/v1/downloads"]
NOT_THERE = [
    "/", "/metrics", "/v1", "/v1/", "/v1/status", "/v1/versions", "/v1/downloads", "/v1/images",
    "/v1/events", "/v1/reload", "/v1/configuration", "/v1/integrity", "/v1/onboarding",
    "/v1/downloads/V1/pause", "/v1/downloads/V1/cancel", "/v1/images/V1/manifest",
    "/v1/images/V1/file", "/v1/images/V1/verify", "/V1", "/V1/", "/V2/manifest.jws", "/V2/pieces",
    "/V1/pieces/", "/V1/request.json", "/V1/image-16-1.iso.part", "/V1/index.json",
    "/../index.json", "/V1/..", "/V1/../index.json", "/V1/%2e%2e", "/V1/..%2frequest.json",
    "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "//etc/passwd", "/V1//pieces",
    "/V1/pieces%00", "/V1/pieces%00.txt", "/index.json/", "/INDEX.JSON", "/V1/Pieces"]


def ask(port, method, target, *headers):
    """By hand: no library is to tidy it up."""
    with socket.create_connection(("127.0.0.2", port), timeout=20 * SLOW) as connection:
        lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close", *headers]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = b""
        while block := connection.recv(1 << 16):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode("latin-1").lower(), body


@pytest.fixture
def node(servers, daemons):
    """Unfinished: it gets about a MiB a second, in four parts."""
    port = free_port("127.0.0.2")
    server = servers(rate=MIB // 4)
    made = daemons(server, update={
        "repository": {"listen": [{"address": "127.0.0.2", "port": port}]}})
    made.port, made.server = port, server
    made.request("V1")
    wait_for(lambda: made.download("V1")["bytes-verified"] >= MIB)
    return made


def test_only_reads(node):
    state = node.download("V1")["state"]
    for target in SERVED:
        for method in METHODS:
            status, head, _ = ask(node.port, method, target, "Content-Length: 0")
            # What libmicrohttpd itself does not take is refused all the same.
            assert status == 405 or method == "CONNECT" and status in (400, 404), (method, target)
            assert "\r\nallow: get\r\n" in head or method == "CONNECT"
    assert node.download("V1")["state"] == state
    assert [d["version"] for d in node.get("/v1/downloads").json["downloads"]] == ["V1"]


def test_every_other_path(node):
    for target in NOT_THERE:
        for method in ("GET", "HEAD"):
            status, _, body = ask(node.port, method, target)
            assert status in (404, 400), (method, target, status)
            assert b"root:" not in body
        status, _, _ = ask(node.port, "POST", target, "Content-Length: 0")
        assert status in (404, 405, 400), target


def test_head(node):
    status, head, body = ask(node.port, "HEAD", "/V1/manifest.jws")
    assert status == 200 and body == b"" and "content-length: " in head
    assert ask(node.port, "HEAD", "/V1/pieces")[0] == 200


def bits(bitmap):
    return [i for i in range(8 * len(bitmap)) if bitmap[i // 8] >> (7 - i % 8) & 1]


def test_unfinished_image(node, images, repository):
    """Each byte that is told is there, and no other is to be had."""
    path = images(16).path
    with open(path, "rb") as file:
        whole = file.read()
    with open(os.path.join(repository.root, "V1", "manifest.jws"), "rb") as file:
        assert ask(node.port, "GET", "/V1/manifest.jws")[2] == file.read()
    assert ask(node.port, "GET", "/index.json")[2] == b'{"versions":[]}'
    file = "/V1/image-16-1.iso"
    node.post("/v1/downloads/V1/pause")  # what it has, it goes on to offer
    wait_for(lambda: node.download("V1")["state"] == "paused")
    # Requests in flight end a little later, with what they brought.
    wait_for(lambda: node.server.in_flight == 0)
    status, _, bitmap = ask(node.port, "GET", "/V1/pieces")
    has = bits(bitmap)
    assert status == 200 and len(bitmap) == 2 and 1 <= len(has) < 16
    assert len(has) * MIB == node.download("V1")["bytes-verified"]
    for piece in range(16):
        first, last = piece * MIB, (piece + 1) * MIB - 1
        status, head, body = ask(node.port, "GET", file, f"Range: bytes={first}-{last}")
        if piece in has:
            assert status == 206 and body == whole[first : last + 1]
            assert f"content-range: bytes {first}-{last}/{len(whole)}" in head
        else:
            assert status == 416 and f"content-range: bytes */{len(whole)}" in head
        # Not one byte over the edge of what is there.
        for a, b in ((first - 1, first), (last, last + 1)):
            if 0 <= a and b < len(whole):
                there = a // MIB in has and b // MIB in has
                status, _, body = ask(node.port, "GET", file, f"Range: bytes={a}-{b}")
                assert status == (206 if there else 416), (a, b)
                assert body == whole[a : b + 1] or not there
    for header in ("Range: bytes=0-", "Range: bytes=-1048577", f"Range: bytes={len(whole)}-",
                   "Range: bytes=-0"):
        assert ask(node.port, "GET", file, header)[0] == 416
    # What asks for all of it, or what counts as that, gets nothing.
    for headers in ([], ["Range: bytes=0-1,3-4"], ["Range: pieces=0-1"], ["Range: bytes=5-4"]):
        status, _, body = ask(node.port, "GET", file, *headers)
        assert status in (404, 416) and len(body) < 1000


def test_unchecked_pieces_are_not_told(node, tmp_path):
    """After a power cut they count only once they are hashed; of what is not looked at, nothing is."""
    node.post("/v1/downloads/V1/pause")
    wait_for(lambda: node.download("V1")["state"] == "paused")
    node.kill9()
    boot = tmp_path / "boot-id"
    boot.write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    node.environment = {"STEWARD_BOOT_ID_FILE": str(boot)}
    node.start()
    assert node.download("V1")["state"] == "paused"
    for name in ("pieces", "manifest.jws", "image-16-1.iso"):
        assert ask(node.port, "GET", f"/V1/{name}", "Range: bytes=0-1")[0] == 404
    part = os.path.join(node.state, "downloads", "V1", "image-16-1.iso.part")
    with open(part, "r+b") as file:  # none of it is what it was
        file.write(b"\0" * os.path.getsize(part))
    node.config["software-update"]["source"][0]["url"] = "http://127.0.0.1:9/"
    node.write_config()
    node.post("/v1/reload")
    node.post("/v1/downloads/V1/resume")
    wait_for(lambda: node.download("V1")["state"] in ("waiting-retry", "failed"))
    status, _, told = ask(node.port, "GET", "/V1/pieces")
    assert status == 404 or status == 200 and bits(told) == []
    assert ask(node.port, "GET", "/V1/image-16-1.iso", "Range: bytes=0-1")[0] in (404, 416)


def test_ended_downloads_offer_nothing(node):
    node.post("/v1/downloads/V1/cancel")
    for name in ("pieces", "manifest.jws", "image-16-1.iso"):
        assert ask(node.port, "GET", f"/V1/{name}", "Range: bytes=0-1")[0] == 404


def test_complete_image_has_no_pieces(servers, pairs, images):
    pair = pairs(servers())
    pair.leader.fetch("V1")
    assert pair.shared(0, "GET", "/V1/pieces").status == 404
    assert pair.shared(0, "GET", "/index.json").json["versions"][0]["version"] == "V1"
    body = pair.shared(0, "GET", "/V1/image-16-1.iso").body
    assert hashlib.sha256(body).hexdigest() == images(16).sha256
