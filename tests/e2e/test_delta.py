# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a new version only what is new crosses the link, whatever the node has of it and wherever."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import uuid

import pytest

from loopfs import LoopFilesystem
from repository import MIB
from steward import wait_for
from test_conductor_repository import nodes  # noqa: F401, a fixture
from test_disk import fill
from test_images import create

SIZE = 24 * MIB
SLOW_RATE = 64 << 10


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


@pytest.fixture
def seed(tmp_path, scattered):
    """A copy of V1 that is no image of the node."""
    path = tmp_path / "slot"
    path.write_bytes(scattered[1]["V1"])
    return path


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
    # 24 chunks are new, of 16 to 256 KiB each.
    assert server.image_bytes - before < 4 * MIB
    assert download["bytes-reused"] > 20 * MIB
    assert download["bytes-reused"] + download["bytes-fetched"] >= len(contents["V2"])
    assert daemon.source_of("V2", "s0")["failures"] == 0


@pytest.mark.release_only
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


def wait_filled(daemon, seed):
    """It has read the seed to its end and closed it: what it has is copied. At the lowest priority
    that takes its time on a busy machine."""
    wait_for(lambda: daemon.bytes_read > SIZE and str(seed) not in daemon.open_files, 60)


def reused(server, daemon, contents, seed):
    """V2, mostly from the seed: the source is slow until that is copied."""
    before = server.image_bytes
    server.rate = SLOW_RATE
    daemon.request("V2")
    wait_filled(daemon, seed)
    server.rate = None
    daemon.wait_state("V2", "complete")
    assert has(daemon, "V2", contents)
    assert daemon.download("V2")["bytes-reused"] > 18 * MIB, daemon.log
    assert server.image_bytes - before < 6 * MIB
    assert daemon.source_of("V2", "s0")["failures"] == 0


def test_seed(scattered, servers, daemons, seed):
    """What a file has is not fetched; it is only read."""
    root, contents = scattered
    server = servers(root=root)
    daemon = daemons(server, update={"seed": [str(seed)]})
    reused(server, daemon, contents, seed)
    assert seed.read_bytes() == contents["V1"]


@pytest.mark.once
def test_seed_that_is_a_block_device(scattered, servers, daemons, seed):
    root, contents = scattered
    server = servers(root=root)
    device = subprocess.run(["losetup", "--find", "--show", "--read-only", seed], text=True,
                            check=True, capture_output=True).stdout.strip()
    try:
        link = seed.parent / "by-partlabel"
        link.symlink_to(device)
        daemon = daemons(server, update={"seed": [str(link)]})
        reused(server, daemon, contents, device)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.once
def test_seeds_that_are_none(tmp_path, scattered, servers, daemons, seed):
    """Each is told once, with its reason; one that is good is used all the same."""
    root, contents = scattered
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    server = servers(root=root)
    bad = {tmp_path / "nothing": "No such file", tmp_path / "fifo": "neither a file nor a block",
           tmp_path: "neither a file nor a block", "/dev/zero": "neither a file nor a block"}
    daemon = daemons(server, update={"seed": [*map(str, bad), str(tmp_path / "empty"), str(seed)]})
    reused(server, daemon, contents, seed)
    told = [line for line in daemon.log.splitlines() if "V2: seed: " in line]
    assert len(told) == len(bad), told
    for path, reason in bad.items():
        assert sum(str(path) in line and reason in line for line in told), (path, told)


@pytest.mark.once
def test_equal_to_a_seed(scattered, servers, daemons, seed):
    """Its bytes are not fetched, but those that came before it was looked into."""
    root, contents = scattered
    server = servers(root=root)
    daemon = daemons(server, update={"seed": [str(seed)]})
    server.rate = SLOW_RATE
    daemon.request("V1")
    wait_filled(daemon, seed)
    server.rate = None
    daemon.wait_state("V1", "complete")
    assert has(daemon, "V1", contents)
    assert daemon.download("V1")["bytes-fetched"] < 3 * MIB
    assert daemon.download("V1")["bytes-reused"] > SIZE - 3 * MIB


def test_equal_to_an_image(tmp_path, scattered, key, servers, daemons):
    """Nothing is fetched but index, manifest and chunks."""
    root, contents = scattered
    folder = shutil.copytree(root, tmp_path / "made")
    image = tmp_path / "V3.iso"
    image.write_bytes(contents["V1"])
    assert create(tmp_path, image, key, "piece-size", str(2 * MIB), version="V3").returncode == 0
    server = servers(root=folder)
    daemon = daemons(server)
    daemon.fetch("V1")
    before = server.image_requests
    download = daemon.fetch("V3")
    assert has(daemon, "V3", {"V3": contents["V1"]})
    assert server.image_requests == before
    assert download["bytes-fetched"] == 0
    assert download["bytes-reused"] == SIZE


@pytest.mark.once
@pytest.mark.parametrize("harm", ["rots", "shrinks", "vanishes"])
def test_seed_that_is_harmed_meanwhile(scattered, servers, daemons, seed, harm):
    """Something becomes of it while it is read: what it no longer has is fetched."""
    root, contents = scattered
    server = servers(root=root, rate=MIB)
    daemon = daemons(server, update={"seed": [str(seed)]})
    daemon.request("V2")
    wait_for(lambda: daemon.download("V2")["state"] == "downloading")
    if harm == "rots":
        with open(seed, "r+b") as file:
            for at in range(0, SIZE, MIB // 3):
                file.seek(at)
                file.write(b"not")
    elif harm == "shrinks":
        os.truncate(seed, 100_000)
    else:
        os.unlink(seed)
    server.rate = None
    daemon.wait_state("V2", "complete")
    assert has(daemon, "V2", contents)
    assert daemon.source_of("V2", "s0")["failures"] == 0


@pytest.mark.once
def test_seeds_of_a_pair(scattered, servers, pairs, seed):
    """Both use what they have; one after the other all else comes over the link between them."""
    root, contents = scattered
    server = servers(root=root)
    pair = pairs(server, start=False)
    pair.leader.config["software-update"]["seed"] = [str(seed)]
    pair.leader.write_config()
    pair.start()
    pair.second.fetch("V1")
    before = server.image_bytes
    server.rate = SLOW_RATE
    pair.leader.request("V2", sequenced=True)
    pair.second.request("V2", sequenced=True)
    wait_filled(pair.leader, seed)
    server.rate = None
    for node in pair.nodes:
        node.wait_state("V2", "complete")
        assert has(node, "V2", contents)
        assert node.download("V2")["bytes-reused"] > 18 * MIB
    assert server.image_bytes - before < 6 * MIB
    assert pair.second.source_of("V2", "s0")["bytes"] == 0


@pytest.mark.release_only
def test_seed_of_a_conductor(scattered, servers, nodes, daemons, seed):
    """It has what it needs of a seed; a router has from it what is in none of its images."""
    root, contents = scattered
    server = servers(root=root)
    conductor = nodes(server, seed=[str(seed)])
    reused(server, conductor, contents, seed)
    conductor.fetch("V1")
    fetched = server.image_bytes
    router = daemons({"name": "conductor1", "kind": "conductor", "url": conductor.url})
    router.fetch("V1")
    download = router.fetch("V2")
    assert has(router, "V2", contents)
    assert download["bytes-reused"] > 20 * MIB
    assert download["active-source"] == "conductor1" and server.image_bytes == fetched


def boot(tmp_path, number):
    path = tmp_path / f"boot{number}"
    path.write_text(str(uuid.UUID(int=number)) + "\n")
    return {"STEWARD_BOOT_ID_FILE": str(path)}


@pytest.mark.release_only
@pytest.mark.parametrize("part", [0.05, 0.9])
def test_power_cut(tmp_path, scattered, servers, daemons, seed, part):
    """Only what is in the journal is believed after it; the rest is filled and fetched again."""
    root, contents = scattered
    server = servers(root=root, rate=MIB)
    (tmp_path / "disk").mkdir(), (tmp_path / "after").mkdir()
    with contextlib.ExitStack() as mounted:
        disk = mounted.enter_context(contextlib.closing(
            LoopFilesystem(tmp_path / "disk", 128 * MIB)))
        daemon = daemons(server, state=disk.path, update={"seed": [str(seed)]},
                         environment=boot(tmp_path, 1))
        daemon.request("V2")
        wait_for(lambda: daemon.download("V2")["bytes-verified"] >= part * SIZE)
        daemon.kill(signal.SIGSTOP)
        disk.copy_as_after_a_power_cut(tmp_path / "after" / "disk.img")
        daemon.kill9()
        after = mounted.enter_context(contextlib.closing(
            LoopFilesystem(tmp_path / "after", image=str(tmp_path / "after" / "disk.img"))))
        second = daemons(server, state=after.path, update={"seed": [str(seed)]},
                         environment=boot(tmp_path, 2))
        server.rate = None
        second.wait_state("V2", "complete")
        assert has(second, "V2", contents)
        second.stop()


@pytest.mark.once
def test_disk_gets_full(tmp_path, scattered, servers, daemons, seed):
    """No fallocate on ext3: filling finds no room, nor does what is fetched; then it goes on."""
    root, contents = scattered
    server = servers(root=root, rate=MIB)
    (tmp_path / "disk").mkdir()
    disk = LoopFilesystem(tmp_path / "disk", 48 * MIB, kind="ext3")
    try:
        daemon = daemons(server, state=disk.path, update={"seed": [str(seed)]})
        daemon.request("V2")
        wait_for(lambda: os.path.exists(f"{disk.path}/downloads/V2/V2.iso.part"))
        ballast = fill(disk)
        paused = daemon.wait_state("V2", "paused")
        assert "o space" in paused["error"], paused["error"]
        os.remove(ballast)
        server.rate = None
        assert daemon.post("/v1/downloads/V2/resume").status == 200
        daemon.wait_state("V2", "complete")
        assert has(daemon, "V2", contents)
        daemon.stop()
    finally:
        disk.close()


@pytest.mark.slow
@pytest.mark.parametrize("what", [pytest.param("kill", marks=pytest.mark.release_only), "pause",
                                  "cancel", "stop"])
def test_at_any_moment(scattered, servers, daemons, seed, what):
    """It is ended at many moments of filling, and begins again there or from the beginning."""
    root, contents = scattered
    server = servers(root=root, rate=MIB)
    daemon = daemons(server, update={"seed": [str(seed)]})
    for moment in (0, 9, 17):
        daemon.request("V2", force=True)
        wait_for(lambda m=moment: daemon.download("V2")["bytes-verified"] >= m * MIB
                 and daemon.download("V2")["state"] != "queued")
        if what in ("kill", "stop"):
            daemon.kill9() if what == "kill" else daemon.stop()
            daemon.start()
        elif daemon.post(f"/v1/downloads/V2/{what}").status == 200:
            daemon.wait_state("V2", "paused" if what == "pause" else "cancelled", "complete")
            if what == "pause":
                daemon.post("/v1/downloads/V2/resume")
            else:
                daemon.request("V2")
        server.rate = None
        daemon.wait_state("V2", "complete")
        server.rate = MIB
        assert has(daemon, "V2", contents)
        assert daemon.source_of("V2", "s0")["failures"] == 0
