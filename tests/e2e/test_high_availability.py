"""Two nodes of a router behind one narrow link: what crosses it, together or in sequence."""

import contextlib
import hashlib
import os
import time

import pytest

from ha_world import Pair, Wire, wait_verified
from repository import MIB, Image, Repository
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
