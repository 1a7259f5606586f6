# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory and descriptors stay small, whatever the size of the image and its pieces."""

import base64
import hashlib
import os

import pytest

from fault_server import Fault
from repository import MIB, Image, Repository
from steward import wait_for
from test_images import create

GIB = 1 << 30


class LargeImage(Image):
    """Sparse but for a few bytes in each piece, so that no two pieces are alike."""

    def __init__(self, path, size, piece_size):
        self.path, self.size = str(path), size
        with open(path, "wb") as file:
            file.truncate(size)
            for at in range(0, size, piece_size):
                file.seek(at + 12345)
                file.write(at.to_bytes(8, "big"))


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.timeout(600)
@pytest.mark.parametrize("size, piece_size", [(GIB, 16 * MIB), (4 * GIB, MIB // 16)])
def test_peak_memory(size, piece_size, tmp_path, daemons, servers, key):
    image = LargeImage(tmp_path / "large.iso", size, piece_size)
    repository = Repository(tmp_path / "large").add("V1", image, key, piece_size=piece_size)
    server = servers(root=repository.root)
    daemon = daemons(server, download={"concurrency": 32})
    daemon.request("V1")
    daemon.wait_state("V1", "complete", timeout=300)
    peak = int(daemon.status_field("VmHWM").split()[0])
    assert peak < 32 << 10, f"{peak} KiB"
    assert server.in_flight_max >= 24
    with open(daemon.image_path("V1", "large.iso"), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert digest == image.sha256
    os.remove(daemon.image_path("V1", "large.iso"))
    print(f"VmHWM {peak} KiB")


@pytest.mark.slow
@pytest.mark.release_only
@pytest.mark.timeout(900)
def test_peak_memory_of_seeds(tmp_path, daemons, servers, key):
    """Four are looked into; the last has all that is wanted. Of 4 GiB each, with
    STEWARD_SEED_MIB=4096: at the lowest priority that takes minutes beside other tests."""
    size = int(os.environ.get("STEWARD_SEED_MIB", 256)) * MIB
    seeds = [LargeImage(tmp_path / f"seed{i}", size, MIB + i) for i in range(4)]
    image = tmp_path / "large.iso"
    os.link(seeds[-1].path, image)
    assert create(tmp_path, image, key).returncode == 0
    server = servers(root=tmp_path / "made", rate=64 << 10)
    daemon = daemons(server, update={"seed": [seed.path for seed in seeds]})
    daemon.request("V1")
    # By then its bytes are copied, too.
    wait_for(lambda: daemon.bytes_read > 4 * size and seeds[-1].path not in daemon.open_files, 600)
    server.rate = None
    daemon.wait_state("V1", "complete", timeout=300)
    peak = int(daemon.status_field("VmHWM").split()[0])
    assert peak < 32 << 10, f"{peak} KiB"
    assert daemon.download("V1")["bytes-reused"] > 0.75 * size
    assert server.image_bytes < size / 4
    os.remove(daemon.image_path("V1", "large.iso"))
    print(f"VmHWM {peak} KiB")


@pytest.mark.slow
@pytest.mark.release_only
def test_peak_memory_of_hostile_documents(tmp_path, daemons, servers):
    """Manifests and indexes as large as they may be, and larger, from eight sources at once."""
    junk = base64.b64encode(os.urandom(3 * MIB))
    sources = [servers(Fault("body", junk * 30, on="index" if i % 2 else "manifest"))
               for i in range(8)]
    daemon = daemons(*sources, download={"attempts": 1})
    daemon.request("V1")
    daemon.wait_state("V1", "failed")
    peak = int(daemon.status_field("VmHWM").split()[0])
    assert peak < 96 << 10, f"{peak} KiB"


def test_nothing_grows(daemons, servers):
    """Ten downloads leave no descriptor behind but the few connections that are kept."""
    server = servers()
    daemon = daemons(server, download={"concurrency": 4})
    before = daemon.descriptors
    for _ in range(10):
        daemon.fetch("V1", force=True)
    wait_for(lambda: daemon.descriptors <= before + 6)
