# SPDX-License-Identifier: GPL-3.0-or-later
"""A sequence in which everything goes wrong at the first node: the second one always ends complete, as
soon as docs/download.md says, and with what is needed from the sources."""

import contextlib
import hashlib
import os
import time

import pytest

from ha_world import PATIENCE, Wire, wait_verified
from repository import MIB, Repository
from steward import SLOW, another_time, wait_for

pytestmark = pytest.mark.slow

SIZE = 16 * MIB
FOR_EVER = 600  # patience that a test would not live to see the end of


@pytest.fixture
def wires(tmp_path, key, repository):
    """wires(ha=...): two nodes in namespaces; the WAN lets the image through in about 3 s."""
    with contextlib.ExitStack() as made:
        def wire(ha=None, **options):
            new = made.enter_context(contextlib.closing(
                Wire(tmp_path, repository.root, wan="50mbit", ha=ha)))
            pair = made.enter_context(contextlib.closing(new.pair(tmp_path, key, **options)))
            return new, pair.start()
        yield wire


def ask_both(pair):
    for node in pair.nodes:
        node.request("V1", sequenced=True)
    pair.second.wait_state("V1", "waiting-peer")


def check_complete(node, images, timeout=60):
    download = node.wait_state("V1", "complete", timeout=timeout)
    assert download["sequenced"] is True
    image = images(SIZE // MIB)
    with open(node.image_path("V1", os.path.basename(image.path)), "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == image.sha256
    return download


def bytes_from(node, source):
    return node.source_of("V1", source)["bytes"]


@pytest.mark.parametrize("share", [0.1, 0.9])
def test_leader_is_killed(servers, pairs, images, key, tmp_path, share):
    small = Repository(tmp_path / "small").add("V1", images(SIZE // MIB), key, piece_size=64 << 10)
    server = servers(root=small.root, rate=MIB)
    pair = pairs(server)
    ask_both(pair)
    wait_verified(pair.leader, "V1", share)
    assert pair.second.download("V1")["state"] == "waiting-peer"
    pair.leader.kill9()
    killed = time.monotonic()
    second = pair.second
    wait_for(lambda: second.download("V1")["state"] != "waiting-peer")
    # It was last heard up to a second before.
    assert PATIENCE - 1.5 <= time.monotonic() - killed
    assert "goes on without the HA peer" in second.log
    check_complete(second, images)
    assert bytes_from(second, "s0") == SIZE
    # It comes back, and has to take the rest from somewhere.
    before = server.image_bytes
    pair.leader.start()
    check_complete(pair.leader, images)
    assert server.image_bytes == before
    assert bytes_from(pair.leader, "ha-peer") > 0


def test_leader_is_killed_right_after_completion(servers, pairs, images):
    pair = pairs(servers(rate=4 * MIB))
    ask_both(pair)
    pair.leader.wait_state("V1", "complete")
    pair.leader.kill9()
    check_complete(pair.second, images)


def test_leader_fails(servers, pairs, images):
    """At once: its patience would last ten minutes."""
    pair = pairs(servers(rate=MIB), patience=FOR_EVER)
    pair.leader.config["software-update"]["source"][0]["url"] = "http://127.0.0.1:9/"
    pair.leader.config["software-update"]["download"]["attempts"] = 1
    pair.leader.write_config()
    assert pair.leader.post("/v1/reload").status == 200
    pair.second.request("V1", sequenced=True)
    pair.second.wait_state("V1", "waiting-peer")
    pair.leader.request("V1", sequenced=True)
    pair.leader.wait_state("V1", "failed")
    check_complete(pair.second, images)
    assert "its download is failed" in pair.second.log


def test_leader_is_cancelled(servers, pairs, images):
    pair = pairs(servers(rate=MIB), patience=FOR_EVER)
    ask_both(pair)
    wait_verified(pair.leader, "V1", 0.2)
    assert pair.leader.post("/v1/downloads/V1/cancel").status == 200
    check_complete(pair.second, images)
    assert "its download is cancelled" in pair.second.log


def test_leader_is_paused(servers, pairs, images):
    pair = pairs(servers(rate=MIB))
    ask_both(pair)
    wait_verified(pair.leader, "V1", 0.2)
    assert pair.leader.post("/v1/downloads/V1/pause").status == 200
    paused = time.monotonic()
    wait_for(lambda: pair.second.download("V1")["state"] != "waiting-peer")
    assert time.monotonic() - paused >= PATIENCE - 1.5
    assert "its download is paused" in pair.second.log
    check_complete(pair.second, images)
    pair.leader.post("/v1/downloads/V1/resume")
    check_complete(pair.leader, images)


@pytest.mark.release_only
def test_leader_is_paused_for_a_moment(servers, pairs, images):
    """Patience begins anew once it is heard downloading: the second one has all from its peer, though
    the pauses together are longer."""
    patience = int(9 * SLOW)
    server = servers(rate=MIB / 4 / SLOW)
    pair = pairs(server, patience=patience)
    ask_both(pair)
    for share in (0.1, 0.2, 0.3):
        wait_verified(pair.leader, "V1", share)
        assert pair.leader.post("/v1/downloads/V1/pause").status == 200
        paused = time.monotonic()
        error = wait_for(lambda: pair.second.download("V1")["error"])
        assert "paused" in error
        time.sleep(max(0, paused + 0.4 * patience - time.monotonic()))
        assert pair.leader.post("/v1/downloads/V1/resume").status == 200
        wait_for(lambda: not pair.second.download("V1")["error"])
    server.rate = 4 * MIB
    check_complete(pair.second, images)
    assert bytes_from(pair.second, "ha-peer") == SIZE


def test_leader_has_no_such_download(servers, pairs, images):
    pair = pairs(servers())
    pair.second.request("V1", sequenced=True)
    pair.second.wait_state("V1", "waiting-peer")
    check_complete(pair.second, images)
    assert f"it was not at work for {PATIENCE} s: it has no download of V1" in pair.second.log


def test_leader_has_the_image_without_a_download(servers, pairs, images, repository):
    pair = pairs(servers(), patience=FOR_EVER)
    folder = os.path.join(repository.root, "V1")
    file = os.path.basename(images(SIZE // MIB).path)
    for part, name in (("manifest", "manifest.jws"), ("file", file)):
        with open(os.path.join(folder, name), "rb") as content:
            assert pair.leader.call("PUT", f"/v1/images/V1/{part}", content.read()).status == 201
    pair.second.request("V1", sequenced=True)
    check_complete(pair.second, images)
    assert bytes_from(pair.second, "ha-peer") == SIZE


@pytest.mark.release_only
@pytest.mark.slow
def test_default_patience(servers, pairs, images):
    pair = pairs(servers(), patience=60)
    del pair.second.config["high-availability"]["peer-patience"]
    pair.second.write_config()
    pair.second.post("/v1/reload")
    pair.leader.stop()
    asked = time.monotonic()
    pair.second.request("V1", sequenced=True)
    pair.second.wait_state("V1", "waiting-peer")
    wait_for(lambda: pair.second.download("V1")["state"] != "waiting-peer", 90)
    assert 59 <= time.monotonic() - asked <= 65 * SLOW
    check_complete(pair.second, images)


@pytest.mark.parametrize("when", ["before", "while it waits", "while it takes", "after"])
def test_ha_link_is_cut(wires, images, when):
    wire, pair = wires(ha="30mbit" if when == "while it takes" else None)
    if when == "before":
        wire.set_ha(up=False)
    ask_both(pair)
    if when == "while it waits":
        wait_verified(pair.leader, "V1", 0.2)
        wire.set_ha(up=False)
    if when == "while it takes":
        wait_for(lambda: pair.second.download("V1")["bytes-verified"] >= SIZE // 5)
        wire.set_ha(up=False)
    check_complete(pair.leader, images)
    check_complete(pair.second, images)
    if when == "after":
        wire.set_ha(up=False)
        assert wire.image_bytes(1) == 0
    if when == "while it takes":
        assert 0 < wire.image_bytes(1) < SIZE
    if when in ("before", "while it waits"):
        assert wire.image_bytes(1) >= SIZE


def test_leader_serves_a_corrupt_store(servers, pairs, images):
    pair = pairs(servers(rate=4 * MIB))
    pair.leader.request("V1", sequenced=True)
    pair.leader.wait_state("V1", "complete")
    path = pair.leader.image_path("V1", os.path.basename(images(SIZE // MIB).path))
    with open(path, "r+b") as file:
        for piece in range(0, SIZE // MIB, 2):
            file.seek(piece * MIB + 4711)
            file.write(b"\0damaged\0")
    pair.second.request("V1", sequenced=True)
    check_complete(pair.second, images)
    peer = pair.second.source_of("V1", "ha-peer")
    assert peer["state"] == "excluded" and "piece" in peer["reason"]
    assert bytes_from(pair.second, "s0") > 0


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_both_are_restarted(servers, pairs, images, how):
    """While the second one waits: it waits on, and has all from its peer."""
    pair = pairs(servers(rate=MIB), patience=int(30 * SLOW))
    ask_both(pair)
    wait_verified(pair.leader, "V1", 0.3)
    for node in pair.nodes:
        getattr(node, how)()
    pair.second.start()
    assert pair.second.download("V1")["state"] in ("queued", "waiting-peer")
    pair.leader.start()
    check_complete(pair.leader, images)
    check_complete(pair.second, images)
    assert bytes_from(pair.second, "ha-peer") == SIZE


@pytest.mark.release_only
@pytest.mark.parametrize("offset", ["+1d", "-1d"])
def test_clocks_differ(servers, pairs, images, offset):
    pair = pairs(servers(rate=4 * MIB), environments=({}, another_time(offset)))
    ask_both(pair)
    leader = check_complete(pair.leader, images)
    second = check_complete(pair.second, images)
    assert abs(second["started"] - leader["started"]) > 86000
    assert bytes_from(pair.second, "ha-peer") == SIZE
