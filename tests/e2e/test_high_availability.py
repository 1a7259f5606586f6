# SPDX-License-Identifier: GPL-3.0-or-later
"""Two nodes of a router behind one narrow link: what crosses it, together or in sequence."""

import contextlib
import hashlib
import os
import signal
import time

import pytest

from ha_world import Wire, wait_verified
from repository import MIB, Repository
from steward import SLOW, wait_for

SIZE = 64 * MIB


@pytest.fixture
def narrow(tmp_path, images, key):
    """20 Mbit/s for both together, in pieces of 1 MiB."""
    repository = Repository(tmp_path / "far").add("V1", images(SIZE // MIB), key)
    with contextlib.closing(Wire(tmp_path, repository.root)) as wire, \
            contextlib.closing(wire.pair(tmp_path, key)) as pair:
        yield wire, pair.start()


def check_images(pair, images):
    for node in pair.nodes:
        with open(node.image_path("V1", os.path.basename(images.path)), "rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == images.sha256


@pytest.mark.slow
@pytest.mark.release_only
def test_in_sequence(narrow, images):
    wire, pair = narrow
    for node in pair.nodes:
        node.request("V1", sequenced=True)
    pair.second.wait_state("V1", "waiting-peer")
    wait_verified(pair.leader, "V1", 0.3)
    assert pair.second.download("V1")["state"] == "waiting-peer"
    for node in pair.nodes:
        node.wait_state("V1", "complete", timeout=120)
    print(f"WAN {wire.image_bytes() / SIZE:.3f}x, second {wire.image_bytes(1)} bytes")
    assert wire.image_bytes() <= 1.02 * SIZE
    assert wire.image_bytes(1) == 0
    assert pair.second.source_of("V1", "ha-peer")["bytes"] == SIZE
    check_images(pair, images(SIZE // MIB))


@pytest.mark.slow
@pytest.mark.release_only
def test_at_once(narrow, images):
    wire, pair = narrow
    started = time.monotonic()
    for node in pair.nodes:
        node.request("V1")
    for node in pair.nodes:
        node.wait_state("V1", "complete", timeout=120)
    print(f"WAN {wire.image_bytes() / SIZE:.3f}x in {time.monotonic() - started:.1f} s: "
          f"{[wire.image_bytes(i) for i in (0, 1)]}")
    assert wire.image_bytes() <= 1.15 * SIZE
    check_images(pair, images(SIZE // MIB))


@pytest.fixture
def fine(tmp_path, images, key):
    """16 MiB in pieces of 64 KiB, so that there is always something to share."""
    return Repository(tmp_path / "fine").add("V1", images(16), key, piece_size=64 << 10).root


def bytes_from_peer(node):
    sources = node.download("V1")["sources"]  # none before they were asked
    return sum(s["bytes"] for s in sources if s["name"] == "ha-peer")


@pytest.mark.release_only
def test_peer_starts_later(servers, pairs, fine, images):
    """It could not be reached when we asked, and had nothing when it could."""
    pair = pairs(servers(root=fine, rate=MIB / 2 / SLOW), start=False)
    pair.leader.start()
    pair.leader.request("V1")
    wait_verified(pair.leader, "V1", 0.2)
    assert pair.leader.source_of("V1", "ha-peer")["state"] == "unavailable"
    pair.second.start()
    pair.second.request("V1")
    for node in pair.nodes:
        node.wait_state("V1", "complete")
        assert bytes_from_peer(node) > 0
    check_images(pair, images(16))


def test_peer_completes_first(servers, pairs, images):
    """Then it is a source of all that is missing."""
    slow, fast = servers(rate=MIB / 8 / SLOW), servers()
    pair = pairs(slow)
    pair.second.config["software-update"]["source"][0]["url"] = fast.url
    pair.second.write_config()
    pair.second.post("/v1/reload")
    pair.leader.request("V1")
    wait_for(lambda: pair.leader.download("V1")["state"] == "downloading")
    pair.second.fetch("V1")
    pair.leader.wait_state("V1", "complete", timeout=15)
    assert bytes_from_peer(pair.leader) >= 12 * MIB
    check_images(pair, images(16))


@pytest.mark.parametrize("fault", ["kill9", "stop", "pause", "cancel", "discard", "freeze"])
def test_peer_breaks_off(servers, pairs, fine, images, fault):
    """The pieces it told of are gone, or not to be had: the other one completes as if alone."""
    pair = pairs(servers(root=fine, rate=MIB // 2))
    for node in pair.nodes:
        node.request("V1")
    wait_for(lambda: bytes_from_peer(pair.second) > 0)
    if fault in ("kill9", "stop"):
        getattr(pair.leader, fault)()
    elif fault == "freeze":
        pair.leader.kill(signal.SIGSTOP)
    else:
        order = "cancel" if fault == "discard" else fault
        body = {"force": True} if fault == "discard" else None
        assert pair.leader.post(f"/v1/downloads/V1/{order}", body).status == 200
    started = time.monotonic()
    pair.second.wait_state("V1", "complete")
    # Alone it would take 8 s; a peer that is frozen costs an answer that does not come.
    assert time.monotonic() - started < 16 * SLOW
    if fault == "freeze":
        pair.leader.kill(signal.SIGCONT)
    elif fault in ("kill9", "stop"):
        pair.leader.start()
    elif fault == "pause":
        pair.leader.post("/v1/downloads/V1/resume")
    else:
        pair.leader.request("V1")
    pair.leader.wait_state("V1", "complete")
    check_images(pair, images(16))


def test_peer_is_silent_and_helps_again(servers, pairs, fine, images):
    """What does not answer has nothing, and is not left for that."""
    pair = pairs(servers(root=fine, rate=MIB // 4), download={"stall-timeout": 30})
    for node in pair.nodes:
        node.request("V1")
    wait_for(lambda: bytes_from_peer(pair.second) > 0)
    pair.leader.kill(signal.SIGSTOP)
    wait_for(lambda: pair.second.source_of("V1", "ha-peer")["state"] == "no-version")
    assert "no complete answer within 3 s" in pair.second.source_of("V1", "ha-peer")["reason"]
    pair.leader.kill(signal.SIGCONT)
    before = bytes_from_peer(pair.second)
    wait_for(lambda: bytes_from_peer(pair.second) > before)
    for node in pair.nodes:
        node.wait_state("V1", "complete")
    check_images(pair, images(16))


def test_index_holds_complete_images_only(servers, pairs):
    pair = pairs(servers(rate=MIB // 4))
    pair.leader.request("V1")
    wait_verified(pair.leader, "V1", 0.1)
    assert pair.shared(0, "GET", "/index.json").json == {"versions": []}
    assert pair.shared(0, "GET", "/V1/pieces").status == 200
    assert pair.shared(0, "GET", "/v1/downloads/V1").json["state"] == "downloading"
