# SPDX-License-Identifier: GPL-3.0-or-later
"""The chunk index: it is kept beside the image and offered to others, and where it cannot be had
everything is as without it."""

import hashlib
import json
import os

import pytest

from repository import MIB, Repository
from steward import ctl
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


def test_import(made, daemons):
    """An image from a medium gives its index."""
    image, folder, index = made
    daemon = daemons()
    ctl(daemon, "import", "system", "software", "image", image.path, "manifest",
        str(folder / "manifest.jws"), check=0)
    assert kept(daemon, index) == index.read_bytes()
    images = json.loads(ctl(daemon, "--json", "show", "system", "software", "images").stdout)
    assert [i["version"] for i in images["images"]] == ["V1"]
