# SPDX-License-Identifier: GPL-3.0-or-later
"""The chunk index: it is kept beside the image and offered to others, and where it cannot be had
everything is as without it."""

import hashlib
import json
import os
import random

import pytest

from repository import MIB, Repository
from steward import ctl, wait_for
from test_images import create

MISSING = "chunk index: "


@pytest.fixture
def made(tmp_path, images, key):
    """A repository made by `create software manifest`: the image, its folder and its index."""
    image = images(5)
    assert create(tmp_path, image.path, key).returncode == 0
    folder = tmp_path / "made" / "V1"
    index = folder / (os.path.basename(image.path) + ".chunks")
    return image, folder, index


def kept(daemon, index):
    path = daemon.image_path("V1", index.name)
    return open(path, "rb").read() if os.path.exists(path) else None


def test_kept_and_offered(made, servers, pairs):
    """A node has the index from its source, and its peer from that node alone."""
    image, folder, index = made
    server = servers(root=folder.parent)
    pair = pairs(server)
    pair.leader.fetch("V1")
    assert kept(pair.leader, index) == index.read_bytes()
    assert len(server.of("chunks")) == 1
    pair.second.fetch("V1")
    assert kept(pair.second, index) == index.read_bytes()
    assert len(server.of("chunks")) == 1
    assert pair.shared(1, "GET", f"/V1/{index.name}").body == index.read_bytes()
    assert MISSING not in pair.leader.log + pair.second.log
    assert "chunks" not in os.listdir(os.path.join(pair.leader.state, "downloads", "V1"))
    ctl(pair.leader, "request", "system", "software", "delete", "version", "V1", check=0)
    assert os.listdir(os.path.join(pair.leader.state, "images")) == ["index.json"]


@pytest.mark.once
@pytest.mark.parametrize("fault", ["absent", "another", "longer"])
def test_source_without_it(made, servers, daemons, fault):
    """It is said in one line, and the index is made from the image."""
    image, folder, index = made
    right = index.read_bytes()
    if fault == "absent":
        index.unlink()
    elif fault == "another":
        index.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    else:
        index.write_bytes(right + right)
    daemon = daemons(servers(root=folder.parent))
    daemon.fetch("V1")
    assert kept(daemon, index) == right
    assert daemon.log.count(MISSING) == 1
    assert daemon.source_of("V1", "s0")["failures"] == 0


@pytest.mark.once
def test_manifest_that_lies(tmp_path, images, key, servers, daemons):
    """The image comes and is kept, without an index that it does not give."""
    image = images(3)
    repository = Repository(tmp_path / "lies")
    name = os.path.basename(image.path) + ".chunks"
    payload = image.payload("V1", MIB, override={"chunks": {
        "file": name, "size": 40, "sha256": hashlib.sha256(b"x" * 40).hexdigest()}})
    repository.add("V1", image, key, jws=key.jws(payload))
    with open(os.path.join(repository.root, "V1", name), "wb") as file:
        file.write(b"x" * 40)  # as it was signed, and no index
    daemon = daemons(servers(root=repository.root))
    daemon.fetch("V1")
    os.unlink(os.path.join(repository.root, "V1", name))
    assert sorted(os.listdir(os.path.join(daemon.state, "images", "V1"))) == sorted(
        [os.path.basename(image.path), "manifest.jws", name])
    ctl(daemon, "request", "system", "software", "delete", "version", "V1", check=0)
    daemon.fetch("V1", force=True)
    assert sorted(os.listdir(os.path.join(daemon.state, "images", "V1"))) == sorted(
        [os.path.basename(image.path), "manifest.jws"])
    assert daemon.log.count(MISSING) == 2  # no source had it; nor does the image give it


@pytest.mark.once
def test_import(made, daemons):
    """An image from a medium gives its index."""
    image, folder, index = made
    daemon = daemons()
    ctl(daemon, "import", "system", "software", "image", image.path, "manifest",
        str(folder / "manifest.jws"), check=0)
    assert kept(daemon, index) == index.read_bytes()
    images = json.loads(ctl(daemon, "--json", "show", "system", "software", "images").stdout)
    assert [i["version"] for i in images["images"]] == ["V1"]


@pytest.fixture(scope="module")
def two(tmp_path_factory, key):
    """V1, and V2: a few bytes more at its beginning, and 2 MiB of 24 that are others."""
    tmp_path = tmp_path_factory.mktemp("two")
    rng = random.Random(7)
    old = rng.randbytes(24 * MIB)
    contents = {"V1": old,
                "V2": rng.randbytes(100) + old[:10 * MIB] + rng.randbytes(2 * MIB)
                + old[12 * MIB:]}
    for version, content in contents.items():
        path = tmp_path / f"{version}.iso"
        path.write_bytes(content)
        assert create(tmp_path, path, key, "piece-size", "262144", version=version).returncode == 0
    return tmp_path / "made", contents


def has(daemon, version, contents):
    with open(daemon.image_path(version, f"{version}.iso"), "rb") as file:
        return file.read() == contents[version]


def test_what_is_here_is_not_fetched(two, servers, daemons):
    """Of the new version only what is new crosses the link."""
    root, contents = two
    server = servers(root=root)
    daemon = daemons(server)
    daemon.fetch("V1")
    before = server.image_bytes
    server.rate = 4 * MIB
    download = daemon.fetch("V2")
    assert has(daemon, "V2", contents)
    # 2 MiB are new; half a piece is more at each end of them, and what was on its way at first.
    assert server.image_bytes - before < 8 * MIB
    assert download["bytes-reused"] + download["bytes-fetched"] == len(contents["V2"])
    assert download["bytes-reused"] > 16 * MIB
    shown = ctl(daemon, "show", "system", "software", "download", "version", "V2", check=0).stdout
    assert "Reused    " in shown and "(0 B wasted)" in shown
    metrics = daemon.get("/metrics").body.decode()
    assert f'steward_download_reused_bytes_total{{version="V2"}} {download["bytes-reused"]}' \
        in metrics
    assert daemon.source_of("V2", "s0")["failures"] == 0


@pytest.mark.once
@pytest.mark.parametrize("harm", ["other bytes", "shorter", "gone", "no index"])
def test_seed_that_is_harmed(two, servers, daemons, harm):
    """What of the old image is not as it was is fetched."""
    root, contents = two
    daemon = daemons(servers(root=root))
    daemon.fetch("V1")
    path = daemon.image_path("V1", "V1.iso")
    if harm == "other bytes":
        with open(path, "r+b") as file:
            for at in range(0, 24 * MIB, 300_000):
                file.seek(at)
                file.write(b"not")
    elif harm == "shorter":
        os.truncate(path, 7 * MIB)
    else:
        os.unlink(path if harm == "gone" else path + ".chunks")
    daemon.fetch("V2")
    assert has(daemon, "V2", contents)
    assert daemon.source_of("V2", "s0")["failures"] == 0


def test_killed_while_it_is_filled(two, servers, daemons):
    """After kill -9 and a pause it goes on, and no byte is wrong."""
    root, contents = two
    server = servers(root=root)
    daemon = daemons(server)
    daemon.fetch("V1")
    server.rate = MIB
    daemon.request("V2")
    wait_for(lambda: daemon.download("V2")["bytes-reused"] > 0)
    daemon.kill9()
    daemon.start()
    daemon.post("/v1/downloads/V2/pause")
    daemon.wait_state("V2", "paused", "downloading", "complete")
    server.rate = None
    daemon.post("/v1/downloads/V2/resume")
    daemon.wait_state("V2", "complete")
    assert has(daemon, "V2", contents)
