# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a new version only what is new crosses the link, whatever the node has of it and wherever."""

import random

import pytest

from repository import MIB
from steward import ctl, wait_for
from test_images import create

SIZE = 24 * MIB


@pytest.fixture(scope="module")
def scattered(tmp_path_factory, key):
    """V1, and V2: 16 bytes more before each MiB. No piece of it is whole in V1."""
    tmp_path = tmp_path_factory.mktemp("scattered")
    rng = random.Random(16)
    old = rng.randbytes(SIZE)
    new = b"".join(rng.randbytes(16) + old[at:at + MIB] for at in range(0, SIZE, MIB))
    contents = {"V1": old, "V2": new}
    for version, content in contents.items():
        path = tmp_path / f"{version}.iso"
        path.write_bytes(content)
        assert create(tmp_path, path, key, "piece-size", str(MIB), version=version).returncode == 0
    return tmp_path / "made", contents


def has(daemon, version, contents):
    with open(daemon.image_path(version, f"{version}.iso"), "rb") as file:
        return file.read() == contents[version]


def test_holes(scattered, servers, daemons):
    """Of pieces that are not here as a whole only the holes are fetched."""
    root, contents = scattered
    server = servers(root=root)
    daemon = daemons(server)
    daemon.fetch("V1")
    before = server.image_bytes
    server.rate = 2 * MIB
    download = daemon.fetch("V2")
    assert has(daemon, "V2", contents)
    # 24 chunks are new, of 64 KiB or more each, and what was on its way before they were known.
    assert server.image_bytes - before < 8 * MIB
    assert download["bytes-reused"] > 16 * MIB
    assert download["bytes-reused"] + download["bytes-fetched"] >= len(contents["V2"])
    assert daemon.source_of("V2", "s0")["failures"] == 0
    history = daemon.get("/v1/downloads/V2").json
    assert history["state"] == "complete"


@pytest.mark.once
def test_killed_among_holes(scattered, servers, daemons):
    """After kill -9 what was filled is filled once more, and no byte is wrong."""
    root, contents = scattered
    server = servers(root=root)
    daemon = daemons(server)
    daemon.fetch("V1")
    server.rate = 256 * 1024
    daemon.request("V2")
    wait_for(lambda: daemon.download("V2")["bytes-reused"] > 0)
    daemon.kill9()
    daemon.start()
    wait_for(lambda: daemon.download("V2")["state"] == "downloading")
    daemon.post("/v1/downloads/V2/pause")
    daemon.wait_state("V2", "paused")
    server.rate = None
    daemon.post("/v1/downloads/V2/resume")
    daemon.wait_state("V2", "complete")
    assert has(daemon, "V2", contents)
    assert daemon.source_of("V2", "s0")["failures"] == 0
